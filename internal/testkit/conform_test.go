package testkit

import (
	"bytes"
	"encoding/json"
	"errors"
	"flag"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
)

var (
	command   = flag.String("hosts.waymark", "", "a waymark command, which exercises nodes across a LAN: three minutes each")
	strangers [][2]string
)

func init() {
	flag.Func("hosts.peer", "NAME=COMMAND of a peer of interop/, which is exercised too; may stand several times", func(text string) error {
		name, command, ok := strings.Cut(text, "=")
		if !ok {
			return errors.New("it wants NAME=COMMAND")
		}
		strangers = append(strangers, [2]string{name, command})
		return nil
	})
}

// TestConformAcrossALAN has the hostile kit on one host exercise a node on
// another one. Addresses for benchmarks are nobody's private ones, which the kit
// minds, so there are those of IPv6.
func TestConformAcrossALAN(t *testing.T) {
	if *command == "" {
		t.Skip("give it a command by -hosts.waymark")
	}
	for _, tcp := range []bool{true, false} {
		t.Run(map[bool]string{true: "TCP", false: "QUIC"}[tcp], func(t *testing.T) {
			t.Parallel()
			l := NewLab(t)
			sw := l.Switch()
			kit, target := l.Host(sw, ip6(0, 0)), l.Host(sw, ip6(0, 1))
			n := target.Start(Spec{Key: 1, Mode: waymark.ModeServer, Listen: []string{Listen(target.Addr(0), tcp)}})
			if err := n.Listens(t.Context()); err != nil {
				t.Fatal(err)
			}
			exercise(t, kit, true, "--protocol", "/lab/kad/1.0.0", At(target.Addr(0), tcp)+"/p2p/"+n.ID.String())
			if r, err := n.State(t.Context()); err != nil || r.Overdue > 0 {
				t.Errorf("afterwards: %+v, %v", r, err)
			}
			if err := n.End(); err != nil {
				t.Error(err)
			}
		})
	}
	for _, peer := range strangers {
		t.Run(peer[0], func(t *testing.T) {
			t.Parallel()
			l := NewLab(t)
			sw := l.Switch()
			kit, target := l.Host(sw, ip6(0, 0)), l.Host(sw, ip6(0, 1))
			there := target.ns.command("sh", "-c", "exec "+peer[1]+" --listen "+At(target.Addr(0), true))
			script := filepath.Join(t.TempDir(), "peer") // the kit knows words, and no quotes
			l.must(os.WriteFile(script, []byte("#!/bin/sh\nexec "+quoted(there.Args)+"\n"), 0o755))
			exercise(t, kit, peer[0] == "waymark", "--drive", script)
		})
	}
}

// quoted is a command as a shell takes it.
func quoted(args []string) string {
	var words []string
	for _, a := range args {
		words = append(words, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(words, " ")
}

// exercise runs the kit on a host, which has to come to its end. Of Waymark it is
// to find nothing that fails; of strangers it is told what it finds.
func exercise(t *testing.T, on *Host, ours bool, args ...string) {
	t.Helper()
	cmd := on.ns.command(*command, slices.Concat([]string{"conform", "--seed", "1", "--json"}, args)...)
	var said bytes.Buffer
	cmd.Stderr = &said
	out, err := cmd.Output()
	var r struct {
		Type, Outcome         string
		Cases, Passed, Warned int
		Failed, Skipped, Kept int
		Elapsed               float64 `json:"elapsed_ms"`
		Case, Verdict         string
		Saw, Why              []string
	}
	for line := range bytes.Lines(out) {
		r.Why = nil
		if err := json.Unmarshal(line, &r); err != nil {
			t.Fatalf("%v: %s", err, line)
		}
		if r.Verdict == "fail" || r.Verdict == "warn" {
			t.Logf("%s: %s: saw %q, %q", r.Case, r.Verdict, r.Saw, r.Why)
			r.Verdict = ""
		}
	}
	if r.Passed == 0 || ours && (err != nil || r.Failed > 0) {
		t.Errorf("%v: %s\n%s", err, said.String(), bytes.TrimSpace(out[bytes.LastIndexByte(bytes.TrimSpace(out), '\n')+1:]))
	}
	t.Logf("| %s | %s | %d | %d | %d | %d | %d | %.0f s |",
		time.Now().UTC().Format(time.DateOnly), t.Name(), r.Passed, r.Warned, r.Failed, r.Skipped, r.Kept, r.Elapsed/1000)
}
