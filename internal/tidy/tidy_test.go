package tidy

import (
	"flag"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/google/go-cmp/cmp"
	"github.com/rogpeppe/go-internal/txtar"
)

var rewrite = flag.Bool("rewrite", false, "write what is found into the stories; then read the diff")

// repository is the house itself.
func repository() fs.FS { return os.DirFS("../..") }

func TestTheHouseIsTidy(t *testing.T) {
	found, err := Check(repository(), Rules)
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range found {
		t.Error(f)
	}
}

// Each story is a small house with violations planted in it, and ends with a
// part "findings" that lists exactly what is to be found.
func TestStories(t *testing.T) {
	stories, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(stories) == 0 {
		t.Fatalf("no stories: %v", err)
	}
	planted := map[string]bool{}
	for _, path := range stories {
		t.Run(strings.TrimSuffix(filepath.Base(path), ".txt"), func(t *testing.T) {
			if !storyName.MatchString(filepath.Base(path)) {
				t.Errorf("%s is no sentence", path)
			}
			for _, f := range tell(t, path) {
				planted[f.Rule] = true
			}
		})
	}
	for _, r := range Rules {
		if !planted[r.Name] {
			t.Errorf("no story breaks the rule %q", r.Name)
		}
	}
}

// tell checks the house of one story and compares what is found.
func tell(t *testing.T, path string) []Finding {
	story, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	house, want, last := fstest.MapFS{}, "", -1
	for i, part := range story.Files {
		if part.Name == "findings" {
			want, last = string(part.Data), i
			continue
		}
		house[part.Name] = &fstest.MapFile{Data: []byte(grow(string(part.Data)))}
	}
	if last < 0 {
		t.Fatal(`a story ends with a part "findings"`)
	}
	found, err := Check(house, Rules)
	if err != nil {
		t.Fatal(err)
	}
	var got strings.Builder
	for _, f := range found {
		fmt.Fprintln(&got, f)
	}
	if *rewrite && got.String() != want {
		story.Files[last].Data = []byte(got.String())
		if err := os.WriteFile(path, txtar.Format(story), 0o644); err != nil {
			t.Fatal(err)
		}
	} else if diff := cmp.Diff(want, got.String()); diff != "" {
		t.Errorf("findings differ (-want +got):\n%s", diff)
	}
	return found
}

// grow replaces a line "// …N lines…" of a story by N lines, so that a long
// function needs no long story.
func grow(source string) string {
	lines := strings.Split(source, "\n")
	for i, line := range lines {
		var n int
		if _, err := fmt.Sscanf(strings.TrimSpace(line), "// …%d lines…", &n); err == nil {
			lines[i] = strings.TrimSuffix(strings.Repeat("\t_ = 0\n", n), "\n")
		}
	}
	return strings.Join(lines, "\n")
}

// A rule that looks at nothing finds nothing: the house must be there.
func TestTheHouseIsSeen(t *testing.T) {
	tree, err := read(repository())
	if err != nil {
		t.Fatal(err)
	}
	rooms := map[string]bool{}
	for _, f := range tree.Go {
		rooms[f.Room] = true
	}
	for _, room := range []string{"core/key", "core/engine", "internal/tidy"} {
		if !rooms[room] {
			t.Errorf("%s was not read", room)
		}
	}
}
