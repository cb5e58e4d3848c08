package dht_test

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestAProgramWrittenForTheIncumbentRuns changes one import path in a program
// that was written for go-libp2p-kad-dht, and runs it.
func TestAProgramWrittenForTheIncumbentRuns(t *testing.T) {
	source, err := os.ReadFile("testdata/a_program_written_for_the_incumbent.txt")
	if err != nil {
		t.Fatal(err)
	}
	const incumbent, ours = `"github.com/libp2p/go-libp2p-kad-dht"`, `"github.com/waymark-dht/waymark/compat"`
	program := strings.Replace(string(source), incumbent, ours, 1)
	if program == string(source) {
		t.Fatalf("it does not import %s", incumbent)
	}
	file := filepath.Join(t.TempDir(), "main.go")
	if err := os.WriteFile(file, []byte(program), 0o600); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 5*time.Minute) // it is compiled first
	defer cancel()
	got, err := exec.CommandContext(ctx, "go", "run", file).CombinedOutput()
	const want = `table: true true true
value: world <nil>
no value: routing: not found
provider: true true
peer: true true <nil>
closest: true true <nil>
ping: <nil>
rendezvous: 1 <nil>
closed
`
	if err != nil || string(got) != want {
		t.Errorf("%v; it printed\n%s\nand should print\n%s", err, got, want)
	}
}
