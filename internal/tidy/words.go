package tidy

import (
	"path"
	"regexp"
	"slices"
	"strings"
)

var storyName = regexp.MustCompile(`^[a-z0-9]+(_[a-z0-9]+){2,}\.txt$`)

// storyNames wants the files of stories to be named by sentences, such as
// a_third_of_the_network_leaves.txt: the listing of a testdata folder is then
// the list of promises that the room keeps.
func storyNames(t *Tree, report Report) {
	for _, name := range t.Paths {
		if inTestdata(name) && onGroundFloor(path.Dir(name)) && path.Ext(name) == ".txt" &&
			!storyName.MatchString(path.Base(name)) {
			report(name, 0, "a story is named by a sentence: three words or more, lower case, joined by _")
		}
	}
}

// The words are taken apart here, so that this file does not find itself.
var unfinished = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|X` + `XX)\b`)

// finished forbids notes to oneself in code. What is missing is an issue, with
// a number and a reader; a note in the code is read by whoever can least act.
func finished(t *Tree, report Report) {
	for _, text := range t.Texts {
		if kind := path.Ext(text.Path); kind == ".md" || kind == ".json" || inTestdata(text.Path) {
			continue
		}
		for i, line := range text.Lines {
			if word := unfinished.FindString(line); word != "" {
				report(text.Path, i+1, "%s: finish it, or file an issue", word)
			}
		}
	}
}

var (
	// machinePath is an absolute path that exists on one machine only.
	machinePath = regexp.MustCompile("(^|[\\s\"'`(=:])/(wo" + `rk|ro` + `ot|tm` + `p)(/|\b)`)
	// registries are the hosts of package registries.
	registries = []*regexp.Regexp{
		host("proxy.golang", "org"), host("sum.golang", "org"), host("registry.npmjs", "org"), host("crates", "io"),
		host("pypi", "org"), host("files.pythonhosted", "org"), host("repo1.maven", "org"), host("deb.debian", "org"),
	}
)

func host(name, top string) *regexp.Regexp {
	return regexp.MustCompile(`\b` + regexp.QuoteMeta(name+"."+top) + `\b`)
}

// nobodysMachine keeps one machine's paths and one set-up's registries out of
// code and docs: a command copied from the README must work for a stranger,
// behind a mirror too. Package managers know their registries by themselves.
func nobodysMachine(t *Tree, report Report) {
	for _, text := range t.Texts {
		for i, line := range text.Lines {
			if machinePath.MatchString(line) {
				report(text.Path, i+1, "a path of one machine: use a temporary folder of the test, or a relative path")
			}
			if slices.ContainsFunc(registries, func(r *regexp.Regexp) bool { return r.MatchString(line) }) {
				report(text.Path, i+1, "the host of a package registry: name the package, its manager knows where")
			}
		}
	}
}

var (
	clause  = regexp.MustCompile(`\bKAD-[0-9]+(\.[0-9]+)?\b`)
	stating = regexp.MustCompile(`(?m)^(## |\*\*)(KAD-[0-9]+(\.[0-9]+)?)\b`)
)

// clauses wants every clause that the code names to stand in docs/SPEC.md, so
// that a search for KAD-2.3 leads from the rule to the code and back.
func clauses(t *Tree, report Report) {
	stated := map[string]bool{}
	for _, text := range t.Texts {
		if spec, _ := path.Match("docs/SPEC*.md", text.Path); spec {
			for _, m := range stating.FindAllStringSubmatch(strings.Join(text.Lines, "\n"), -1) {
				stated[m[2]] = true
			}
		}
	}
	for _, text := range t.Texts {
		if path.Ext(text.Path) != ".go" || path.Dir(text.Path) == "internal/tidy" {
			continue
		}
		for i, line := range text.Lines {
			for _, name := range clause.FindAllString(line, -1) {
				if !stated[name] {
					report(text.Path, i+1, "docs/SPEC.md has no clause %s", name)
				}
			}
		}
	}
}
