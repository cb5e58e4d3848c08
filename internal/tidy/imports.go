package tidy

import (
	"slices"
	"strconv"
	"strings"
)

// imports holds the import map. The path says what code may touch only as long
// as nobody imports past it: then a wrong decision is in core/, a hang in the
// driver, and a reader of core/lookup need not look at the wire. A folder that
// is not in the map is a finding too, so that nobody adds a drawer unseen.
//
// Tests may use more, since what they import does not ship: the whole ground
// floor, and above it every room; and the test libraries.
func imports(t *Tree, report Report) {
	unknown := map[string]bool{}
	for _, f := range t.Go {
		if f.Module != "." {
			continue // tools and interop judge the house from outside
		}
		room, known := roomOf(f.Room)
		if !known {
			if !unknown[f.Room] {
				unknown[f.Room] = true
				report(f.Room, 0, "a new room starts with a line in internal/tidy")
			}
			continue
		}
		for _, spec := range f.Syntax.Imports {
			path, err := strconv.Unquote(spec.Path.Value)
			if err == nil && !allowed(path, room, f) {
				report(f.Path, f.Line(spec), "%s may not import %s", f.Room, path)
			}
		}
	}
}

func allowed(path string, room Room, f *GoFile) bool {
	folder, ours := houseFolder(path)
	switch {
	case isStandard(path):
		return true
	case ours && folder == f.Room: // an external test, or an example
		return f.Test
	case ours && f.Test && onGroundFloor(f.Room):
		may := slices.Concat(room.Uses, room.Tests)
		return onGroundFloor(folder) || slices.ContainsFunc(may, func(p string) bool { return fits(p, folder) })
	case ours && f.Test:
		return true
	case ours:
		return slices.ContainsFunc(room.Uses, func(p string) bool { return fits(p, folder) })
	}
	return within(path, room.Others) || f.Test && within(path, testOnly)
}

// houseFolder returns the folder of a package of this module.
func houseFolder(path string) (folder string, ours bool) {
	if path == Module {
		return ".", true
	}
	return strings.CutPrefix(path, Module+"/")
}

// isStandard reports whether a package is of the standard library: the first
// part of its path has no dot.
func isStandard(path string) bool {
	first, _, _ := strings.Cut(path, "/")
	return !strings.Contains(first, ".")
}

// within reports whether a package is one of those listed or below one.
func within(path string, list []string) bool {
	return slices.ContainsFunc(list, func(p string) bool {
		return path == p || strings.HasPrefix(path, p+"/")
	})
}
