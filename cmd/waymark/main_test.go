package main

import (
	"os"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// The scripts run this test's own binary as waymark, so that nothing has to be
// built first.
func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){
		"waymark": main,
		"serve":   serveForScripts,
	})
}

// Each script is a promise of the command; its name says which.
func TestScripts(t *testing.T) {
	testscript.Run(t, testscript.Params{
		Dir: "testdata/script",
		Setup: func(e *testscript.Env) error {
			e.Setenv("GOCOVERDIR", os.Getenv("GOCOVERDIR"))
			return nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"exits":  exits,
			"result": result,
			"await":  await,
			"hash":   hash,
		},
		RequireUniqueNames: true,
	})
}
