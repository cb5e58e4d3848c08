package main

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// pair is a server of one kind with two clients of another: what one client
// stores the other finds, through the server alone.
type pair struct {
	server, one, two *proc
}

// check is one row of the table: what is tried with a pair.
type check struct {
	name string
	try  func(pair) error
}

// checks are tried with every pair, in both directions.
var checks = []check{
	{"identify, admission", func(p pair) error { return p.one.knows(p.server, 10*time.Second) }},
	{"find node: unknown key", func(p pair) error { return p.closest(args{"key": "nobody has this"}) }},
	{"find node: self", func(p pair) error { return p.closest(args{"peerId": p.one.ID}) }},
	{"find node: the server", func(p pair) error { return p.closest(args{"peerId": p.server.ID}) }},
	{"put, get", func(p pair) error { return p.putGet("/v/plain", "1:one", "1:one") }},
	{"put: the better wins", func(p pair) error {
		if err := p.one.do("put", args{"key": "/v/best", "value": "5:five"}, nil); err != nil {
			return err
		}
		_ = p.two.do("put", args{"key": "/v/best", "value": "3:three"}, nil) // may be refused
		err := p.got(args{"key": "/v/best"}, "5:five")
		if err != nil && p.server.Kind == "js" {
			if err = p.got(args{"key": "/v/best"}, "3:three"); err == nil {
				err = manner("a js server keeps the value that came last")
			}
		}
		return err
	}},
	{"/pk record", func(p pair) error { return p.record(publicKey) }},
	{"/ipns record", func(p pair) error { return p.record(name) }},
	{"provide, find providers", pair.provide},
	{"get: nothing there", func(p pair) error {
		if err := p.two.do("get", args{"key": "/v/nothing"}, nil); err == nil {
			return fmt.Errorf("%s found what is not there", p.two.Kind)
		}
		return nil
	}},
}

// closest wants the server among the closest peers to a key.
func (p pair) closest(a args) error {
	var r struct{ Peers []string }
	if err := p.one.do("getClosestPeers", a, &r); err != nil {
		return err
	}
	if !slices.Contains(r.Peers, p.server.ID) {
		return fmt.Errorf("%s found %d peers, and not the server", p.one.Kind, len(r.Peers))
	}
	return nil
}

func (p pair) putGet(key, value, want string) error {
	if err := p.one.do("put", args{"key": key, "value": value}, nil); err != nil {
		return err
	}
	return p.got(args{"key": key}, want)
}

// got wants the second client to find a value.
func (p pair) got(a args, want string) error {
	var r struct{ Value string }
	if err := p.two.do("get", a, &r); err != nil {
		return err
	}
	if r.Value != want {
		return fmt.Errorf("%s got %q, want %q", p.two.Kind, r.Value, want)
	}
	return nil
}

// record stores a binary record and finds it again, byte for byte.
func (p pair) record(make func() (key string, value []byte, err error)) error {
	key, value, err := make()
	if err != nil {
		return err
	}
	k64, v64 := base64.StdEncoding.EncodeToString([]byte(key)), base64.StdEncoding.EncodeToString(value)
	if err := p.one.do("put", args{"keyB64": k64, "valueB64": v64}, nil); err != nil {
		return err
	}
	var r struct{ ValueB64 string }
	if err := p.two.do("get", args{"keyB64": k64}, &r); err != nil {
		return err
	}
	if r.ValueB64 != v64 {
		return fmt.Errorf("%s got another record", p.two.Kind)
	}
	return nil
}

// publicKey is a /pk record: of an RSA key, whose ID does not hold it.
func publicKey() (string, []byte, error) {
	_, pub, err := crypto.GenerateKeyPair(crypto.RSA, 2048)
	if err != nil {
		return "", nil, err
	}
	id, err := peer.IDFromPublicKey(pub)
	if err != nil {
		return "", nil, err
	}
	raw, err := crypto.MarshalPublicKey(pub)
	return "/pk/" + string(id), raw, err
}

// name is an /ipns record.
func name() (string, []byte, error) {
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		return "", nil, err
	}
	target, err := path.NewPath("/ipfs/bafkqaaa")
	if err != nil {
		return "", nil, err
	}
	r, err := ipns.NewRecord(key, target, 1, time.Now().Add(time.Hour), time.Minute)
	if err != nil {
		return "", nil, err
	}
	raw, err := ipns.MarshalRecord(r)
	if err != nil {
		return "", nil, err
	}
	id, err := peer.IDFromPrivateKey(key)
	return "/ipns/" + string(id), raw, err
}

// provide announces the first client and has the second find it.
func (p pair) provide() error {
	if err := p.one.do("provide", args{"key": "content"}, nil); err != nil {
		return err
	}
	var r struct{ Providers []struct{ ID string } }
	for end := time.Now().Add(5 * time.Second); ; { // ADD_PROVIDER has no answer: it may still be under way
		if err := p.two.do("findProviders", args{"key": "content"}, &r); err != nil {
			return err
		}
		for _, f := range r.Providers {
			if f.ID == p.one.ID {
				return nil
			}
		}
		if time.Now().After(end) {
			return fmt.Errorf("%s found %d providers, and not the one", p.two.Kind, len(r.Providers))
		}
		time.Sleep(200 * time.Millisecond)
	}
}

// runPair tries every check with a server of one kind and clients of another.
func (s *suite) runPair(ctx context.Context, server, client kind) {
	where := client.Name + " → " + server.Name
	p, err := newPair(ctx, server, client)
	if err != nil {
		s.note("start", where, err)
		return
	}
	defer p.stop()
	for _, c := range checks {
		s.note(c.name, where, again(func() error { return c.try(p) }))
	}
	s.note("client mode is not admitted", where, again(func() error { return s.clientMode(ctx, server, client) }))
	s.note("another protocol is another network", where, again(func() error { return s.otherProtocol(ctx, server, client) }))
}

// again tries a second time what failed, and says so: a stranger on a busy
// machine may miss a deadline of its own.
func again(try func() error) error {
	err := try()
	if err == nil || errors.As(err, new(manner)) {
		return err
	}
	fmt.Printf("once more, for: %v\n", err)
	return try()
}

func newPair(ctx context.Context, server, client kind, flags ...string) (p pair, err error) {
	if p.server, err = spawn(ctx, server, flags...); err != nil {
		return p, err
	}
	for _, c := range []**proc{&p.one, &p.two} {
		if *c, err = spawn(ctx, client, append(slices.Clone(flags), "--client")...); err != nil {
			p.stop()
			return p, err
		}
		if err = (*c).connect(p.server); err != nil {
			p.stop()
			return p, err
		}
		if err = (*c).knows(p.server, 10*time.Second); err != nil {
			p.stop()
			return p, err
		}
	}
	return p, nil
}

func (p pair) stop() {
	for _, x := range []*proc{p.one, p.two, p.server} {
		if x != nil {
			x.stop()
		}
	}
}

// clientMode wants that a peer that does not serve enters nobody's table.
func (s *suite) clientMode(ctx context.Context, server, client kind) error {
	return s.unknown(ctx, server, client, []string{"--client"}, nil)
}

// otherProtocol wants that peers of different networks do not know each other.
func (s *suite) otherProtocol(ctx context.Context, server, client kind) error {
	return s.unknown(ctx, server, client, []string{"--protocol", "/one/kad/1.0.0"}, []string{"--protocol", "/two/kad/1.0.0"})
}

func (s *suite) unknown(ctx context.Context, server, client kind, serverFlags, clientFlags []string) error {
	there, err := spawn(ctx, server, serverFlags...)
	if err != nil {
		return err
	}
	defer there.stop()
	here, err := spawn(ctx, client, clientFlags...)
	if err != nil {
		return err
	}
	defer here.stop()
	if err := here.connect(there); err != nil {
		return err
	}
	if here.knows(there, 1500*time.Millisecond) == nil {
		return fmt.Errorf("%s has it in its table", here.Kind)
	}
	return nil
}
