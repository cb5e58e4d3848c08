// Package golden holds what tests make against files that a person has read.
//
// It may not know what is in them, nor import another room, so that any test may use it.
// Start reading at [Check].
package golden

import (
	"flag"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var rewrite = flag.Bool("rewrite", false, "write the golden files anew; then read the diff")

// Check compares a text with testdata/NAME.golden of the package under test, or
// writes it there if -rewrite was given.
func Check(t *testing.T, name, got string) {
	t.Helper()
	path := filepath.Join("testdata", name+".golden")
	if *rewrite {
		if err := os.WriteFile(path, []byte(got), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil {
		t.Fatalf("%v (write it with -rewrite)", err)
	}
	if diff := cmp.Diff(string(want), got); diff != "" {
		t.Errorf("%s differs (-want +got), rewrite with -rewrite:\n%s", path, diff)
	}
}
