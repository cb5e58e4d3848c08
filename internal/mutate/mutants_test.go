package main

import (
	"os"
	"path"
	"path/filepath"
	"slices"
	"testing"
)

// The list must keep up with the house: each text stands where it is said to,
// once. Whether the mutants die is what the command finds out.
func TestEveryMutantCanBePlanted(t *testing.T) {
	var names []string
	for _, m := range mutants {
		if slices.Contains(names, m.Name) {
			t.Errorf("two mutants are called %q", m.Name)
		}
		names = append(names, m.Name)
		if own := path.Dir(m.Edits[0].File); m.reach()[0] != own || !slices.Contains(rooms, own) {
			t.Errorf("%s is planted in %s, and tried on %v", m.Name, own, m.reach())
		}
		for _, e := range m.Edits {
			content, err := os.ReadFile(filepath.Join("../../core", e.File))
			if err != nil {
				t.Fatal(err)
			}
			if planted, err := e.plant(string(content)); err != nil {
				t.Errorf("%s: %v", m.Name, err)
			} else if planted == string(content) {
				t.Errorf("%s changes nothing", m.Name)
			}
		}
	}
	if len(mutants) < 25 {
		t.Errorf("%d mutants", len(mutants))
	}
}
