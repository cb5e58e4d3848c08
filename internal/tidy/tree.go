package tidy

import (
	"bytes"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
)

// Tree is the house as the rules see it.
type Tree struct {
	Go    []*GoFile // all Go files, those of nested modules included
	Texts []*Text   // all files that people read, Go files included
	Paths []string  // all files

	fset       *token.FileSet
	unreadable []Finding // Go files that do not parse
}

// GoFile is one parsed Go file.
type GoFile struct {
	Path      string
	Room      string // its folder; "." for the root
	Module    string // the folder of the go.mod it belongs to; "." for the root
	Test      bool
	Generated bool
	Syntax    *ast.File

	fset *token.FileSet
}

// Text is one file that people read.
type Text struct {
	Path  string
	Lines []string
}

// Line returns the line on which a node of the file begins.
func (f *GoFile) Line(n ast.Node) int { return f.fset.Position(n.Pos()).Line }

// Span returns how many lines a node takes.
func (f *GoFile) Span(n ast.Node) int {
	return f.fset.Position(n.End()).Line - f.Line(n) + 1
}

// texts are the kinds of file that people read, by extension or whole name.
var texts = []string{
	".go", ".mod", ".md", ".txt", ".sh", ".toml", ".yml", ".yaml", ".service", ".json", ".ts", ".js", ".css", ".html", ".qnt",
	".gitignore", ".gitattributes", "Containerfile", "Dockerfile", "Makefile",
}

func read(root fs.FS) (*Tree, error) {
	t := &Tree{fset: token.NewFileSet()}
	modules := []string{"."}
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && passedBy(name):
			return fs.SkipDir
		case d.IsDir():
			if _, err := fs.Stat(root, path.Join(name, "go.mod")); err == nil && name != "." {
				modules = append(modules, name)
			}
			return nil
		case !d.Type().IsRegular():
			return nil
		}
		t.Paths = append(t.Paths, name)
		if !isText(name) {
			return nil
		}
		content, err := fs.ReadFile(root, name)
		if err != nil {
			return err
		}
		t.add(name, content, modules)
		return nil
	})
	return t, err
}

// passedBy reports whether a folder is none of the house's: version control,
// editors' folders, what other package managers install, and the planted
// violations of this package's own test.
func passedBy(name string) bool {
	base := path.Base(name)
	hidden := strings.HasPrefix(base, ".") && name != "." && name != ".ci"
	return hidden || base == "node_modules" || name == "internal/tidy/testdata"
}

func isText(name string) bool {
	base := path.Base(name)
	return path.Dir(name) == ".ci" || slices.Contains(texts, base) || slices.Contains(texts, path.Ext(base))
}

func (t *Tree) add(name string, content []byte, modules []string) {
	if !bytes.ContainsRune(content, 0) {
		t.Texts = append(t.Texts, &Text{name, strings.Split(string(content), "\n")})
	}
	if path.Ext(name) != ".go" || inTestdata(name) {
		return
	}
	syntax, err := parser.ParseFile(t.fset, name, content, parser.ParseComments)
	if err != nil {
		t.unreadable = append(t.unreadable, Finding{Path: name, Rule: "parse", Text: err.Error()})
		return
	}
	t.Go = append(t.Go, &GoFile{
		Path: name, Room: path.Dir(name), Module: moduleOf(name, modules),
		Test: strings.HasSuffix(name, "_test.go"), Generated: ast.IsGenerated(syntax),
		Syntax: syntax, fset: t.fset,
	})
}

func inTestdata(name string) bool { return slices.Contains(strings.Split(name, "/"), "testdata") }

// moduleOf returns the folder of the innermost module that holds a file.
// Folders are walked before what is in them, so the last match is innermost.
func moduleOf(name string, modules []string) string {
	for _, m := range slices.Backward(modules) {
		if strings.HasPrefix(name, m+"/") {
			return m
		}
	}
	return "."
}
