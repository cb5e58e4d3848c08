package tidy

import (
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// notSurveyed are the numbers that the survey of hangs left out, up to its last.
var notSurveyed = []int{11, 20, 45, 51, 61, 68, 77, 78, 86, 95, 99, 106, 112, 116, 120}

const lastSurveyed = 121

var (
	hangRow = regexp.MustCompile(`^\| (\d+) \| [^|]+ \| ([^|]+) \|$`)
	ticked  = regexp.MustCompile("`([^`]+)`")
	goTest  = regexp.MustCompile(`^([a-z/]+) ((?:Test|Fuzz)\w+)$`)
)

// The catalogue of hangs has every row of the survey once, and whatever it
// names exists.
func TestTheCatalogueOfHangsIsTrue(t *testing.T) {
	root := filepath.Join("..", "..")
	text, err := os.ReadFile(filepath.Join(root, "docs", "HANGS.md"))
	if err != nil {
		t.Fatal(err)
	}
	var have []int
	for i, line := range strings.Split(string(text), "\n") {
		row := hangRow.FindStringSubmatch(line)
		if row == nil {
			continue
		}
		n, _ := strconv.Atoi(row[1])
		if slices.Contains(have, n) {
			t.Errorf("docs/HANGS.md:%d: row %d stands there twice", i+1, n)
		}
		have = append(have, n)
		known := strings.Contains(row[2], "by construction")
		for _, name := range ticked.FindAllStringSubmatch(row[2], -1) {
			switch found, isName := exists(root, name[1]); {
			case isName && !found:
				t.Errorf("docs/HANGS.md:%d: there is no %s", i+1, name[1])
			case isName:
				known = true
			}
		}
		if !known {
			t.Errorf("docs/HANGS.md:%d: row %d names no test and no reason", i+1, n)
		}
	}
	for n := 1; n <= lastSurveyed; n++ {
		if slices.Contains(have, n) == slices.Contains(notSurveyed, n) {
			t.Errorf("docs/HANGS.md: row %d: there %v, not in the survey %v", n, slices.Contains(have, n), slices.Contains(notSurveyed, n))
		}
	}
}

// exists reports whether a name of the catalogue leads to something, and
// whether it is one of the kinds that should.
func exists(root, name string) (found, isName bool) {
	stands := func(dir, pattern, text string) bool {
		files, _ := filepath.Glob(filepath.Join(root, dir, pattern))
		return slices.ContainsFunc(files, func(file string) bool {
			content, err := os.ReadFile(file)
			return err == nil && strings.Contains(string(content), text)
		})
	}
	if m := goTest.FindStringSubmatch(name); m != nil {
		return stands(strings.TrimSuffix(m[1], "waymark"), "*_test.go", "\nfunc "+m[2]+"("), true
	}
	if scenario, ok := strings.CutPrefix(name, "sim run "); ok {
		return stands("sim", "scenario.go", "{\""+scenario+"\", "), true
	}
	if c, ok := strings.CutPrefix(name, "conform "); ok {
		return stands("internal/conform", "*.go", "Name: \""+c+"\","), true
	}
	if strings.HasSuffix(name, ".txt") {
		_, err := os.Stat(filepath.Join(root, name))
		return err == nil, true
	}
	return false, false
}
