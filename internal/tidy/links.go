package tidy

import (
	"path"
	"regexp"
	"strings"
)

var (
	// link is the target of a Markdown link to a file of the house.
	link = regexp.MustCompile(`\]\(([^):#]+)(#[^)]*)?\)`)
	// quoted is a path of the house in code quotes: core/lookup, docs/SPEC.md.
	quoted = regexp.MustCompile("`((?:core|cmd|docs|internal|tools|\\.ci)/[A-Za-z0-9_./-]+)`")
)

// links wants every file and folder that the docs name to be there: a reader
// who follows a dead pointer trusts the rest less.
func links(t *Tree, report Report) {
	there := map[string]bool{".": true}
	for _, name := range t.Paths {
		for ; !there[name]; name = path.Dir(name) {
			there[name] = true
		}
	}
	for _, text := range t.Texts {
		if path.Ext(text.Path) != ".md" || inTestdata(text.Path) {
			continue
		}
		for i, line := range text.Lines {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				if !there[path.Join(path.Dir(text.Path), m[1])] {
					report(text.Path, i+1, "links to %s, which is not there", m[1])
				}
			}
			for _, m := range quoted.FindAllStringSubmatch(line, -1) {
				if name := strings.TrimSuffix(m[1], "/"); !there[name] && !strings.Contains(name, "testdata") {
					report(text.Path, i+1, "speaks of %s, which is not there", name)
				}
			}
		}
	}
}
