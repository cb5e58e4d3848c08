package tidy

import (
	"go/ast"
	"go/token"
	"slices"
)

// numbers keeps every number of the protocol in core/params, where its reason
// stands beside it and a reader finds them all. What looks like one elsewhere
// on the ground floor is a literal duration (2 * time.Second) or a literal size
// (64 << 10). The simulator's model of the world is not the protocol.
func numbers(t *Tree, report Report) {
	for _, f := range t.Go {
		if f.Test || f.Module != "." || !fits("core/*", f.Room) || f.Room == "core/params" {
			continue
		}
		ast.Inspect(f.Syntax, func(n ast.Node) bool {
			e, ok := n.(*ast.BinaryExpr)
			if ok && (f.isDuration(e) || isSize(e)) {
				report(f.Path, f.Line(e), "a number of the protocol belongs in core/params, with its reason")
			}
			return true
		})
	}
}

// isDuration reports a literal number of units of time, in either order.
func (f *GoFile) isDuration(e *ast.BinaryExpr) bool {
	return e.Op == token.MUL && (isLiteral(e.X) && f.isUnit(e.Y) || f.isUnit(e.X) && isLiteral(e.Y))
}

func (f *GoFile) isUnit(e ast.Expr) bool {
	s, ok := e.(*ast.SelectorExpr)
	if !ok {
		return false
	}
	path, name := f.selects(s)
	units := []string{"Nanosecond", "Microsecond", "Millisecond", "Second", "Minute", "Hour"}
	return path == "time" && slices.Contains(units, name)
}

// isSize reports a literal number of KiB, MiB or GiB.
func isSize(e *ast.BinaryExpr) bool {
	by, ok := e.Y.(*ast.BasicLit)
	return ok && e.Op == token.SHL && isLiteral(e.X) && slices.Contains([]string{"10", "20", "30"}, by.Value)
}

func isLiteral(e ast.Expr) bool {
	_, ok := e.(*ast.BasicLit)
	return ok
}
