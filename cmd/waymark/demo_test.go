package main

import (
	"bytes"
	"context"
	"errors"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/internal/cli"
)

// performDemo runs a demonstration in this process and returns what it left.
func performDemo(t *testing.T, ctx context.Context, f demoFlags) (end ending, stdout, stderr *bytes.Buffer, err error) {
	t.Helper()
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	out := cli.NewOut(stdout, stderr, time.Now, cli.Options{Progress: "plain", Color: "never"})
	end, err = runDemo(ctx, out, f)
	return end, stdout, stderr, err
}

// ignored are goroutines that live as long as the process: go-libp2p starts
// them when the first host is made.
func ignored() []goleak.Option {
	return []goleak.Option{
		goleak.IgnoreAnyFunction("github.com/libp2p/go-libp2p/p2p/protocol/autonatv2.(*AutoNAT).background"),
		goleak.IgnoreAnyFunction("github.com/jbenet/goprocess/periodic.callOnTicker.func1"),
		goleak.IgnoreTopFunction("go.opencensus.io/stats/view.(*worker).start"),
		goleak.IgnoreCurrent(),
	}
}

func TestTheDemonstrationLeavesNothingRunning(t *testing.T) {
	f := demoFlags{nodes: 8, faulty: 25, disjoint: 1, seed: 3}
	before := ignored()
	end, stdout, stderr, err := performDemo(t, t.Context(), f)
	if err != nil || end.outcome != "ready" {
		t.Errorf("%s ended %q, %v\n%s%s", f, end.outcome, err, stdout, stderr)
	}
	goleak.VerifyNone(t, before...)
}

func TestACancelledDemonstrationLeavesNothingRunning(t *testing.T) {
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 400 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		before := ignored()
		end, _, stderr, err := performDemo(t, ctx, demoFlags{nodes: 12, faulty: 50, disjoint: 2, seed: 4})
		if end.outcome == "" {
			t.Errorf("after %v it ended without an outcome (%v)\n%s", after, err, stderr)
		}
		cancel()
		goleak.VerifyNone(t, before...)
	}
}

func TestOneSeedMakesOneNetwork(t *testing.T) {
	f := demoFlags{nodes: 6, faulty: 50, disjoint: 1, seed: 5}
	var texts []string
	for range 2 {
		p := &performance{out: cli.NewOut(new(bytes.Buffer), new(bytes.Buffer), time.Now, cli.Options{Progress: "none"}), flags: f}
		if err := p.build(t.Context()); err != nil {
			t.Fatal(err)
		}
		text := failureWords(p.net.Kinds())
		for _, m := range p.net.Members {
			text += " " + m.Info.ID.String() + " " + m.Kind.String()
		}
		if err := p.net.Close(); err != nil {
			t.Error(err)
		}
		texts = append(texts, text)
	}
	if texts[0] != texts[1] {
		t.Errorf("%s made two networks:\n%s\n%s", f, texts[0], texts[1])
	}
}

func TestParseKey(t *testing.T) {
	const id = "12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8"
	for text, want := range map[string]string{
		"hex:00ff":    "\x00\xff",
		"base64:AP8=": "\x00\xff",
		"base64:AP8":  "\x00\xff",
		"text:a b":    "a b",
		"/note/x":     "/note/x",
		"/note/x/y":   "/note/x/y",
		"/note/" + id: "/note/" + id,
	} {
		if got, err := parseKey(text, ""); err != nil || got != want {
			t.Errorf("parseKey(%q) = %q, %v", text, got, err)
		}
	}
	raw, err := parseKey(id, "")
	if err != nil || len(raw) != 38 {
		t.Fatalf("a peer ID gave %d bytes, %v", len(raw), err)
	}
	if got, _ := parseKey("/ipns/"+id, ""); got != "/ipns/"+raw {
		t.Errorf("an IPNS name is looked up under %q, not under the ID's bytes", got)
	}
	a, _ := parseKey("random", "")
	b, _ := parseKey("random", "")
	if a == b || key.OfString(a) == key.OfString(b) {
		t.Error("random gave the same key twice")
	}
	var trouble *cli.Trouble
	for _, text := range []string{"", "x", "hex:", "hex:0", "hex:zz", "base64:", "base64:!", "text:", "/ip4/127.0.0.1/tcp/1/p2p/" + id, "/", "//", "/ns", "/ns/", "rnadom"} {
		if _, err := parseKey(text, ""); !errors.As(err, &trouble) || trouble.Code != "WM-K001" {
			t.Errorf("parseKey(%q): %v", text, err)
		}
	}
}
