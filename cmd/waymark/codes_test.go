package main

import (
	"context"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"strings"
	"testing"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/cli"
)

// TestEveryTroubleSaysWhatWasSeenAndWhatIsNext reads the source: who makes a
// trouble gives evidence and a next step, or it is of no help.
func TestEveryTroubleSaysWhatWasSeenAndWhatIsNext(t *testing.T) {
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, name := range files {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			call, is := n.(*ast.CallExpr)
			if !is {
				return true
			}
			if f, is := call.Fun.(*ast.Ident); !is || f.Name != "trouble" {
				return true
			}
			found++
			for i, what := range map[int]string{2: "evidence", 3: "next step"} {
				if arg, is := call.Args[i].(*ast.Ident); is && arg.Name == "nil" {
					t.Errorf("%v: a trouble without a %s", set.Position(call.Pos()), what)
				}
			}
			return true
		})
	}
	if found < 50 {
		t.Errorf("%d troubles were found", found)
	}
}

// TestEveryErrorOfARecordSaysWhatWasSeenAndWhatIsNext, whatever it wraps, and
// also where nobody was asked.
func TestEveryErrorOfARecordSaysWhatWasSeenAndWhatIsNext(t *testing.T) {
	for _, err := range []error{
		waymark.ErrClosed, waymark.ErrNoPeers, waymark.ErrDeadline, waymark.ErrNotFound, waymark.ErrOverloaded, waymark.ErrNotReady,
		waymark.ErrBadConfig, waymark.ErrNoAnswer, waymark.ErrBadKey, waymark.ErrNamespace, waymark.ErrInvalid, waymark.ErrOlder,
		waymark.ErrNotStored, waymark.ErrLeftover, context.DeadlineExceeded, errors.New("something else"),
	} {
		wrapped := fmt.Errorf("%w: of which this is the text", err)
		for what, made := range map[string]error{
			"storing": storeTrouble(waymark.Stored{}, wrapped), "getting": getTrouble("/note/a", waymark.Value{}, wrapped),
			"finding": noProviders(wrapped), "usage": usageTrouble(wrapped),
		} {
			trouble := troubleOf(t.Context(), made)
			if trouble.What == "" || !say(trouble.Seen) || !say(trouble.Next) {
				t.Errorf("%s, %v: %+v", what, err, trouble)
			}
		}
	}
	if troubleOf(t.Context(), nil) != (*cli.Trouble)(nil) {
		t.Error("no error is trouble")
	}
}

// say reports whether there are lines, and something in each.
func say(lines []string) bool {
	for _, line := range lines {
		if strings.TrimSpace(line) == "" {
			return false
		}
	}
	return len(lines) > 0
}
