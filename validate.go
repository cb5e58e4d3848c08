package waymark

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	record "github.com/libp2p/go-libp2p-record"

	"github.com/waymark-dht/waymark/core/params"
)

// Validator decides what may be stored under the keys of one namespace. It is
// what Validator of go-libp2p-record is. Its methods run on many goroutines at
// once, never on the engine's, and have no more time than the request that
// they belong to. One that panics accepts nothing, and prefers nothing.
type Validator interface {
	// Validate returns nil for a value that may be stored under the key.
	Validate(key string, value []byte) error
	// Select returns which of some valid values is the best.
	Select(key string, values [][]byte) (int, error)
}

// rules are the validators of a node by their namespaces.
type rules map[string]Validator

// withBuiltIn adds the rule for public keys, which every node knows.
func withBuiltIn(given map[string]Validator, c *careful) rules {
	all := rules{"pk": record.PublicKeyValidator{}}
	for namespace, v := range given {
		all[namespace] = c.validator(namespace, v)
	}
	return all
}

// of returns the validator for a key, or what is wrong with the key.
func (r rules) of(key []byte) (Validator, error) {
	if len(key) > params.MaxKey {
		return nil, fmt.Errorf("%w: it has %d bytes; up to %d are possible", ErrBadKey, len(key), params.MaxKey)
	}
	rest, slash := bytes.CutPrefix(key, []byte("/"))
	namespace, name, deeper := bytes.Cut(rest, []byte("/"))
	formed := slash && deeper && len(namespace) > 0 && len(name) > 0
	if other := r[""]; other != nil && len(key) > 0 && (!formed || r[string(namespace)] == nil) {
		return other, nil
	}
	if !formed {
		return nil, fmt.Errorf("%w: %s is not /namespace/name", ErrBadKey, readable(key))
	}
	v := r[string(namespace)]
	if v == nil {
		return nil, fmt.Errorf("%w %q (there are: %s); add one to Config.Validators",
			ErrNamespace, namespace, strings.Join(r.names(), ", "))
	}
	return v, nil
}

func (r rules) names() []string {
	names := make([]string, 0, len(r))
	for n := range r {
		names = append(names, n)
	}
	slices.Sort(names)
	return names
}

// check returns nil for a value that may be stored under the key.
func (r rules) check(key, value []byte) error {
	v, err := r.of(key)
	if err != nil {
		return err
	}
	if err := v.Validate(string(key), value); err != nil {
		return fmt.Errorf("%w: %w", ErrInvalid, err)
	}
	return nil
}

// best returns which of some valid values is the best.
func (r rules) best(key []byte, values [][]byte) (int, error) {
	v, err := r.of(key)
	if err != nil {
		return -1, err
	}
	return v.Select(string(key), values)
}

// Best returns which of some values, all valid under the key, the validator of
// its namespace prefers.
func (d *DHT) Best(key string, values [][]byte) (int, error) {
	return d.shelf.rules.best([]byte(key), values)
}
