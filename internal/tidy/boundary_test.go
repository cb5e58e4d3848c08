package tidy

import (
	"bufio"
	"bytes"
	"io/fs"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// The map says what a room imports; these tests say what it reaches. They are
// cached with TestTheHouseIsTidy, which opens every source file.

// foreign is what a program that embeds the library must not be made to carry.
var foreign = []string{
	"charm.land", "github.com/charmbracelet", "github.com/ipfs/boxo", "github.com/spf13/cobra",
	"github.com/libp2p/go-libp2p-kad-dht", "github.com/libp2p/go-libp2p-kbucket",
	"go.etcd.io/bbolt", "github.com/cockroachdb/pebble", "testing",
}

func TestTheLibraryReachesNothingForeign(t *testing.T) {
	needs(t, "*.go")
	for _, dep := range dependencies(t, ".") {
		if within(dep, foreign) {
			t.Errorf("package waymark reaches %s; see: go list -deps .", dep)
		}
	}
}

func TestTheCommandReachesNoOtherDHT(t *testing.T) {
	needs(t, "cmd/waymark/*.go")
	others := []string{"github.com/libp2p/go-libp2p-kad-dht", "github.com/libp2p/go-libp2p-kbucket", "testing"}
	for _, room := range []string{"./cmd/waymark", "./compat", "./dual", "./delegated"} {
		for _, dep := range dependencies(t, room) {
			if within(dep, others) {
				t.Errorf("%s reaches %s; see: go list -deps %s", room, dep, room)
			}
		}
	}
}

// A reachable reflect.Value.MethodByName, as text/template and html/template
// have it, makes the linker keep every exported method: 4.7 MB of them. That a
// package is imported says nothing (cobra imports text/template and leaves it
// unreached), so the linker itself is asked.
func TestTheLinkerDropsDeadMethods(t *testing.T) {
	needs(t, "cmd/waymark/*.go")
	out := filepath.Join(t.TempDir(), "waymark")
	link := exec.Command("go", "build", "-ldflags=-dumpdep", "-o", out, "./cmd/waymark")
	link.Dir = "../.."
	graph, err := link.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, graph[max(0, len(graph)-2000):])
	}
	if !bytes.Contains(graph, []byte("main.main -> ")) {
		t.Fatal("the linker printed no graph")
	}
	lines := bufio.NewScanner(bytes.NewReader(graph))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "<ReflectMethod>") {
			t.Errorf("all methods are kept because of %s", lines.Text())
		}
	}
	if err := lines.Err(); err != nil {
		t.Fatal(err)
	}
}

// needs skips a test until the part of the house that it judges is built.
func needs(t *testing.T, pattern string) {
	t.Helper()
	if files, err := fs.Glob(repository(), pattern); err != nil || len(files) == 0 {
		t.Skipf("there is no %s yet", pattern)
	}
}

// dependencies lists what a package reaches.
func dependencies(t *testing.T, pkg string) []string {
	t.Helper()
	list := exec.Command("go", "list", "-deps", pkg)
	list.Dir = "../.."
	var stderr bytes.Buffer
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("%v: %v\n%s", list, err, stderr.String())
	}
	deps := strings.Fields(string(out))
	if !slices.ContainsFunc(deps, func(d string) bool { return strings.HasPrefix(d, Module) }) {
		t.Fatalf("%v does not list the package itself", list)
	}
	return deps
}
