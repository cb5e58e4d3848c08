package waymark

import (
	"reflect"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark/core/params"
)

// options are what the options of go-libp2p's routing say.
type options struct {
	offline bool
	quorum  int // values that end a get; 0 goes on to the end of the lookup
	ttl     uint32
	publish bool // name this node in the record
}

// ttlKey and publisherKey are under what KeepFor and AsPublisher are kept.
type (
	ttlKey       struct{}
	publisherKey struct{}
)

// KeepFor asks those who store a value to keep it for so long, to a second, and
// no longer: params.ValueAge is the most, and what they do without it. It is a
// field of the record that rust-libp2p has introduced (777) and this node knows
// too; others keep the value for as long as they like.
func KeepFor(d time.Duration) routing.Option {
	return func(o *routing.Options) error {
		if d < time.Second || d > params.ValueAge {
			return badConfig("a value that is kept for %v; from 1s to %v are possible", d, params.ValueAge)
		}
		return with(o, ttlKey{}, uint32(d/time.Second))
	}
}

// AsPublisher names this node in the record that it puts, as rust-libp2p does
// (field 666). Nothing needs it, and everybody can read it.
func AsPublisher() routing.Option {
	return func(o *routing.Options) error { return with(o, publisherKey{}, true) }
}

func with(o *routing.Options, key, value any) error {
	if o.Other == nil {
		o.Other = make(map[any]any, 1)
	}
	o.Other[key] = value
	return nil
}

// quorumKey is under what Quorum is kept.
type quorumKey struct{}

// Quorum ends a get once so many peers have given the same best value; 0 asks
// all that are close. Without it a get ends at params.Agreement.
func Quorum(n int) routing.Option {
	return func(o *routing.Options) error {
		if n < 0 {
			return badConfig("a quorum of %d", n)
		}
		return with(o, quorumKey{}, n)
	}
}

// optionsOf applies routing's options. The option Expired asks for nothing
// here: a record that has expired is not stored any more.
func optionsOf(opts []routing.Option) (options, error) {
	var all routing.Options
	if err := all.Apply(opts...); err != nil {
		return options{}, err
	}
	o := options{offline: all.Offline, quorum: params.Agreement}
	o.ttl, _ = all.Other[ttlKey{}].(uint32)
	o.publish, _ = all.Other[publisherKey{}].(bool)
	for k, v := range all.Other {
		if n, is := v.(int); is && (k == any(quorumKey{}) || isIncumbentQuorum(k)) {
			o.quorum = max(0, n)
		}
	}
	return o, nil
}

// isIncumbentQuorum recognises the key of go-libp2p-kad-dht's option Quorum,
// which callers such as boxo's namesys set. Its type is in an internal package,
// so that nobody else can name it.
func isIncumbentQuorum(k any) bool {
	t := reflect.TypeOf(k)
	return t != nil && t.Name() == "QuorumOptionKey" && strings.HasSuffix(t.PkgPath(), "go-libp2p-kad-dht/internal/config")
}
