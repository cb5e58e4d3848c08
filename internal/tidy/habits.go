package tidy

import (
	"go/ast"
	"path"
	"regexp"
	"strconv"
	"strings"
)

// threeSentences wants every room to open alike: what it is; what it may (or
// may not) know; where to start reading. Then a newcomer who enters any folder
// knows in three sentences whether it is the right one.
func threeSentences(t *Tree, report Report) {
	first, comment := map[string]*GoFile{}, map[string]string{}
	var rooms []string
	for _, f := range t.Go {
		if f.Test {
			continue
		}
		if first[f.Room] == nil {
			first[f.Room] = f
			rooms = append(rooms, f.Room)
		}
		comment[f.Room] += f.Syntax.Doc.Text()
	}
	for _, room := range rooms {
		words := strings.Join(strings.Fields(comment[room]), " ")
		switch {
		case words == "":
			report(room, 0, "has no package comment: say what it is, what it may not know, where to start reading")
		case !strings.HasPrefix(words, "Package ") && !strings.HasPrefix(words, "Command "):
			report(room, 0, `its comment begins "Package %s" or "Command %s" and says what it is`, path.Base(room), path.Base(room))
		case !saysLimits.MatchString(words):
			report(room, 0, `its comment does not say what "it may not" know`)
		case !strings.Contains(words, "Start reading"):
			report(room, 0, `its comment does not say where to "Start reading"`)
		}
	}
}

var saysLimits = regexp.MustCompile(`\b[Ii]t may\b|\bmay (not )?know\b`)

// The most lines that a function may take. A test may take more, as its table
// of cases is read line by line and not held in mind at once.
const (
	screen     = 70
	testScreen = 100
)

// oneScreen keeps a function where the eye can hold it. One that does not fit
// does more than one thing, and the second wants a name. Generated code is
// nobody's to read.
func oneScreen(t *Tree, report Report) {
	for _, f := range t.Go {
		limit := screen
		if f.Test {
			limit = testScreen
		}
		if f.Generated {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			name := "a function literal"
			switch fn := n.(type) {
			case *ast.FuncDecl:
				name = fn.Name.Name
			case *ast.FuncLit:
			default:
				return true
			}
			if lines := f.Span(n); lines > limit {
				report(f.Path, f.Line(n), "%s takes %d lines, more than %d: name its parts", name, lines, limit)
			}
			return false // what is inside counts with it
		})
	}
}

// noSleep forbids time.Sleep in tests. A test that sleeps is slow on every
// machine and wrong on a busy one: wait for the event itself, with a deadline,
// or move the clock of a testing/synctest bubble by a timer.
func noSleep(t *Tree, report Report) {
	for _, f := range t.Go {
		if !f.Test && f.Room != "internal/testkit" {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			if s, ok := n.(*ast.SelectorExpr); ok {
				if path, name := f.selects(s); path == "time" && name == "Sleep" {
					report(f.Path, f.Line(n), "a test may not sleep: wait for what should happen, with a deadline")
				}
			}
			return true
		})
	}
}

// skipSaysWhy wants a reason with every skipped test: a test that never runs is
// a promise that nobody keeps, and the reason is how somebody notices.
func skipSaysWhy(t *Tree, report Report) {
	for _, f := range t.Go {
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			call, ok := n.(*ast.CallExpr)
			if !ok || len(call.Args) > 0 {
				return true
			}
			s, ok := call.Fun.(*ast.SelectorExpr)
			if ok && (s.Sel.Name == "Skip" || s.Sel.Name == "SkipNow") && f.isTester(s.X) {
				report(f.Path, f.Line(n), "a skipped test says why: t.Skip(reason)")
			}
			return true
		})
	}
}

// isTester reports whether an expression is a parameter of a type of package
// testing, such as t *testing.T.
func (f *GoFile) isTester(e ast.Expr) bool {
	id, ok := e.(*ast.Ident)
	if !ok || id.Obj == nil {
		return false
	}
	field, ok := id.Obj.Decl.(*ast.Field)
	if !ok {
		return false
	}
	kind := field.Type
	if star, ok := kind.(*ast.StarExpr); ok {
		kind = star.X
	}
	s, ok := kind.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	path, _ := f.selects(s)
	return path == "testing"
}

// forTests are the rooms that exist for tests and so may know package testing.
var forTests = []string{"internal/golden", "internal/testkit", "store/storetest"}

// testingStaysInTests keeps package testing, and its flags, out of what ships:
// internal/fault above all, which the demo starts in a user's process.
func testingStaysInTests(t *Tree, report Report) {
	for _, f := range t.Go {
		if f.Test || within(f.Room, forTests) {
			continue
		}
		for _, spec := range f.Syntax.Imports {
			if path, _ := strconv.Unquote(spec.Path.Value); within(path, []string{"testing"}) {
				report(f.Path, f.Line(spec), "%s belongs in _test.go files and internal/testkit", path)
			}
		}
	}
}

// importName returns the name by which a file knows a package that it imports:
// its own for it, or the last part of the path that is no version.
func importName(spec *ast.ImportSpec, importPath string) string {
	if spec.Name != nil {
		return spec.Name.Name
	}
	base := path.Base(importPath)
	if len(base) > 1 && base[0] == 'v' && strings.Trim(base[1:], "0123456789") == "" {
		return path.Base(path.Dir(importPath))
	}
	return base
}
