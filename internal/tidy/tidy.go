// Package tidy holds the rules of the house as code: which room may know which, and the habits that a compiler does not check.
//
// It may not know what the rooms do: it reads their source as text and syntax,
// never runs or links it. A new room starts with a line in rooms.go; a new rule
// is a function in the list [Rules] and a story under testdata that breaks it.
// Start reading at [Rules], then [Rooms].
package tidy

import (
	"cmp"
	"fmt"
	"io/fs"
	"slices"
)

// Module is the import path of the house.
const Module = "github.com/waymark-dht/waymark"

// Rule is one habit of the house. Its reason stands at its function.
type Rule struct {
	Name  string
	Check func(*Tree, Report)
}

// Rules are all the rules, in the order in which a reader should meet them.
var Rules = []Rule{
	{"imports", imports},
	{"ground-floor", groundFloor},
	{"numbers", numbers},
	{"three-sentences", threeSentences},
	{"one-screen", oneScreen},
	{"no-sleep", noSleep},
	{"skip-says-why", skipSaysWhy},
	{"testing-stays-in-tests", testingStaysInTests},
	{"story-names", storyNames},
	{"clauses", clauses},
	{"links", links},
	{"finished", finished},
	{"nobodys-machine", nobodysMachine},
}

// Finding is one place where a rule is broken.
type Finding struct {
	Path string // from the root of the house
	Line int    // zero if the finding is about the whole file or folder
	Rule string
	Text string // what is wrong and what to do instead
}

// String returns the finding as compilers print theirs.
func (f Finding) String() string {
	if f.Line == 0 {
		return fmt.Sprintf("%s: %s: %s", f.Path, f.Rule, f.Text)
	}
	return fmt.Sprintf("%s:%d: %s: %s", f.Path, f.Line, f.Rule, f.Text)
}

// Report takes one finding of the rule at work.
type Report func(path string, line int, format string, args ...any)

// Check reads the house at root and returns where it breaks the rules, by path
// and line. An error means that the house could not be read.
func Check(root fs.FS, rules []Rule) ([]Finding, error) {
	tree, err := read(root)
	if err != nil {
		return nil, err
	}
	found := slices.Clone(tree.unreadable)
	for _, r := range rules {
		r.Check(tree, func(path string, line int, format string, args ...any) {
			found = append(found, Finding{path, line, r.Name, fmt.Sprintf(format, args...)})
		})
	}
	slices.SortStableFunc(found, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Path, b.Path), cmp.Compare(a.Line, b.Line))
	})
	return found, nil
}
