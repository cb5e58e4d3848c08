package boot

import (
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Extent is what the bound of a bootstrap depends on.
type Extent struct {
	Contacts int // seeds, what their names stand for, and remembered contacts
	Names    int // to be resolved
	Buckets  int // to be refreshed
}

// Largest is the extent that no bootstrap exceeds.
var Largest = Extent{Contacts: params.MaxSeeds + params.MaxRemembered, Names: params.MaxSeeds, Buckets: params.Buckets}

// Bound returns how long a bootstrap can take at most when no probe takes
// longer than hard, no walk longer than walk, and the whole no longer than
// deadline: the closed form of the guarantee, without the running time
// (params.Epsilon). Names are resolved together; contacts are probed in waves;
// then follow the walk to the node itself, waves of buckets, and the
// verification.
func Bound(x Extent, hard, walk, deadline time.Duration) time.Duration {
	spent := waves(x.Contacts, params.ProbeWidth)*hard + (2+waves(x.Buckets, params.RefreshWidth))*walk
	if x.Names > 0 {
		spent += params.DNSDeadline
	}
	return min(spent, deadline)
}

// BoundBack returns how long the way back can take at most, from the end of a
// fault to a node of use: until the node looks, which is DetectTold if an
// interface or a clock tells it to and else the longest pause between tries,
// and then names, seeds and the walk to the node itself. KAD-5.7.
func BoundBack(told bool) time.Duration {
	detect := params.RetryMax * (100 + params.RetryJitterPercent) / 100
	if told {
		detect = params.DetectTold
	}
	return detect + params.DNSDeadline + params.SeedTime + params.OpDeadline
}

// Tries returns how many bootstraps a node begins at most in a minute in which
// none comes out ready and nothing tells it of a change: in the worst minute,
// which is the first, and in every one after the pauses have reached RetryMax.
func Tries() (first, later int) {
	for at, pause := time.Duration(0), params.RetryFirst; at < time.Minute; pause = min(2*pause, params.RetryMax) {
		at += pause
		first++
	}
	return first, int((time.Minute + params.RetryMax - 1) / params.RetryMax)
}

// DialsOffline returns how many peers a node dials at most in a minute in which
// nobody answers and nobody asks it for anything: at every try each of its
// contacts (seeds, what their names stand for, and remembered ones), and as much
// of the table as one walk may ask. The table once more is for the refreshes of
// a bootstrap that began when the node did not know yet. KAD-5.7.
func DialsOffline(contacts, table int) int {
	first, _ := Tries()
	return first*(contacts+min(table, params.MaxPeers)) + table
}

// waves is how many rounds n things take, width of them at a time.
func waves(n, width int) time.Duration { return time.Duration((n + width - 1) / width) }
