package waymark

import (
	"reflect"
	"strings"

	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark/core/params"
)

// options are what the options of go-libp2p's routing say.
type options struct {
	offline bool
	quorum  int // values that end a get; 0 goes on to the end of the lookup
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
		if o.Other == nil {
			o.Other = make(map[any]any, 1)
		}
		o.Other[quorumKey{}] = n
		return nil
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
