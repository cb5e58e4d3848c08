package tidy

import (
	"go/ast"
	"go/token"
	"slices"
	"strconv"
)

// outOfBounds is what the ground floor may not take from the standard library,
// with what lies below it, and why.
var outOfBounds = []struct{ path, why string }{
	{"net", "it has no network: it asks for effects"},
	{"os", "it has no disk and no process"},
	{"io/ioutil", "it has no disk"},
	{"syscall", "it has no operating system"},
	{"context", "deadlines are numbers, told to it"},
	{"log", "it notices facts; others print them"},
	{"crypto/rand", "its randomness is a seeded *rand.Rand"},
	{"math/rand", "its randomness is a seeded *rand.Rand of math/rand/v2"},
	{"sync", "it is one value that one goroutine owns"},
	{"testing", "tests live in _test.go files"},
}

// inBounds are the exceptions: a package, where, and why.
var inBounds = []struct{ path, room, why string }{
	{"math/rand/v2", "*", "the type and its constructors; its global functions are found below"},
	{"sync", "core/key", "sync.OnceValue keeps the table of preimages, the value of a pure function"},
}

// clocks are the functions of package time that read or wait for a clock.
var clocks = []string{"Now", "Sleep", "After", "AfterFunc", "NewTimer", "NewTicker", "Tick", "Since", "Until"}

// seeded are the functions of math/rand/v2 that do not touch its global source.
var seeded = []string{"New", "NewPCG", "NewChaCha8", "NewZipf"}

// groundFloor keeps core/ and sim/ pure: a run is a function of its seed, so
// any failure replays, and such code cannot hang, leak or flake. Hence no
// goroutine, channel, clock, network, disk, context or global randomness.
// Tests of the ground floor may use them.
func groundFloor(t *Tree, report Report) {
	for _, f := range t.Go {
		if f.Test || f.Module != "." || !onGroundFloor(f.Room) {
			continue
		}
		groundImports(f, report)
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if what := impure(f, n); what != "" {
				report(f.Path, f.Line(n), "the ground floor has no %s", what)
			}
			return true
		})
	}
}

func groundImports(f *GoFile, report Report) {
	for _, spec := range f.Syntax.Imports {
		path, _ := strconv.Unquote(spec.Path.Value)
		if spec.Name != nil && spec.Name.Name == "." {
			report(f.Path, f.Line(spec), "the ground floor imports nothing by dot: a reader must see where a name is from")
		}
		for _, o := range outOfBounds {
			if within(path, []string{o.path}) && !excepted(path, f.Room) {
				report(f.Path, f.Line(spec), "the ground floor may not import %s: %s", path, o.why)
			}
		}
	}
}

func excepted(path, room string) bool {
	for _, e := range inBounds {
		if e.path == path && (e.room == "*" || e.room == room) {
			return true
		}
	}
	return false
}

// impure names what a node has that the ground floor may not have, or "".
func impure(f *GoFile, n ast.Node) string {
	switch n := n.(type) {
	case *ast.GoStmt:
		return "goroutine"
	case *ast.SelectStmt, *ast.ChanType, *ast.SendStmt:
		return "channel"
	case *ast.UnaryExpr:
		if n.Op == token.ARROW {
			return "channel"
		}
	case *ast.SelectorExpr:
		switch path, name := f.selects(n); {
		case path == "time" && slices.Contains(clocks, name):
			return "clock: time." + name
		case path == "math/rand/v2" && isGlobalRandom(name):
			return "global randomness: rand." + name
		}
	}
	return ""
}

// isGlobalRandom reports whether a name of math/rand/v2 draws from the global
// source: every function does, but for the constructors; types do not.
func isGlobalRandom(name string) bool {
	types := []string{"Rand", "Source", "PCG", "ChaCha8", "Zipf"}
	return !slices.Contains(seeded, name) && !slices.Contains(types, name)
}

// selects returns the import path and the name of a use of another package,
// such as time.Now; the path is empty if the expression is none.
func (f *GoFile) selects(s *ast.SelectorExpr) (path, name string) {
	x, ok := s.X.(*ast.Ident)
	if !ok || x.Obj != nil { // a variable of that name, not the package
		return "", ""
	}
	for _, spec := range f.Syntax.Imports {
		if path, _ := strconv.Unquote(spec.Path.Value); importName(spec, path) == x.Name {
			return path, s.Sel.Name
		}
	}
	return "", ""
}
