package main

import (
	"bytes"
	"os/exec"
	"testing"
)

// One use of reflection by method name, as in text/template, makes the linker
// keep every method of every type: some 5 MB.
func TestTheLinkerMayRemoveWhatNobodyCalls(t *testing.T) {
	if testing.Short() {
		t.Skip("links the whole program")
	}
	dump, err := exec.Command("go", "build", "-ldflags=-dumpdep", "-o", t.TempDir(), ".").CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%.2000s", err, dump)
	}
	if !bytes.Contains(dump, []byte("main.main")) {
		t.Fatalf("no dependencies were printed: %.200s", dump)
	}
	for line := range bytes.Lines(dump) {
		if bytes.Contains(line, []byte("<ReflectMethod>")) {
			t.Errorf("calls methods by name: %s", line)
		}
	}
}
