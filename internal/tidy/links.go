package tidy

import (
	"path"
	"regexp"
	"strings"
)

var (
	// link is the target of a Markdown link to a file of the house, or to a place
	// in one.
	link = regexp.MustCompile(`\]\(([^):#]*)(?:#([^)]*))?\)`)
	// unheard is what a heading loses on its way to being an anchor.
	unheard = regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	// quoted is a path of the house in code quotes: core/lookup, docs/SPEC.md.
	quoted = regexp.MustCompile("`((?:core|cmd|docs|internal|tools|\\.ci)/[A-Za-z0-9_./-]+)`")
)

// links wants every file, folder and heading that the docs name to be there: a
// reader who follows a dead pointer trusts the rest less.
func links(t *Tree, report Report) {
	there := map[string]bool{".": true}
	for _, name := range t.Paths {
		for ; !there[name]; name = path.Dir(name) {
			there[name] = true
		}
	}
	headings := headingsOf(t)
	for _, text := range t.Texts {
		if path.Ext(text.Path) != ".md" || inTestdata(text.Path) {
			continue
		}
		for i, line := range text.Lines {
			for _, m := range link.FindAllStringSubmatch(line, -1) {
				to, place := path.Join(path.Dir(text.Path), m[1]), m[2]
				if m[1] == "" {
					to = text.Path
				}
				switch {
				case !there[to]:
					report(text.Path, i+1, "links to %s, which is not there", m[1])
				case place != "" && headings[to] != nil && !headings[to][place]:
					report(text.Path, i+1, "links to the heading %s of %s, which is not there", place, to)
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

// headingsOf are the anchors that the headings of each page have, by its path.
func headingsOf(t *Tree) map[string]map[string]bool {
	pages := map[string]map[string]bool{}
	for _, text := range t.Texts {
		if path.Ext(text.Path) != ".md" {
			continue
		}
		pages[text.Path] = map[string]bool{}
		for _, line := range text.Lines {
			if words := strings.TrimLeft(line, "#"); words != line && strings.HasPrefix(words, " ") {
				pages[text.Path][strings.ReplaceAll(unheard.ReplaceAllString(strings.ToLower(words[1:]), ""), " ", "-")] = true
			}
		}
	}
	return pages
}
