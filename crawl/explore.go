package crawl

import (
	"context"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
)

// exploration learns one peer's whole table by FIND_NODE alone.
//
// The answer for a target holds the nearest that the table has. If the farthest
// of them shares c bits with the target, the table has nobody else who shares
// more: the prefix of c+1 bits is known. What is not known yet are the other
// halves of the prefixes above it, each of which is asked for in turn, until
// they make up the whole key space. So it need not be known how large a peer's
// buckets are, and none is asked for that is not there.
type exploration struct {
	first contact.ID
	open  []region // still to be learnt, the one nearest to the peer on top
}

// region is the keys that begin with the first bits of a key.
type region struct {
	of   key.Key
	bits int
}

func explore(peer *contact.Info) *exploration {
	return &exploration{first: peer.ID, open: []region{{peer.Key, 0}}}
}

// next returns what to ask for: first the peer's own ID, around which its table
// is dense. Regions that no preimage is known for are left out: their peers are
// neighbours of the peer in a network of millions.
func (x *exploration) next() (preimage []byte, r region, ok bool) {
	for len(x.open) > 0 {
		r = x.open[len(x.open)-1]
		x.open = x.open[:len(x.open)-1]
		if x.first != "" {
			preimage, x.first = []byte(x.first), ""
			return preimage, r, true
		}
		if r.bits <= key.MaxPreimageBits {
			p := key.Preimage(r.of, r.bits, 0)
			return p[:], r, true
		}
	}
	return nil, region{}, false
}

// answered notes what is known of a region now.
func (x *exploration) answered(preimage []byte, r region, closer []*contact.Info, peer contact.ID) {
	target := key.Of(preimage)
	shared := key.Bits
	for _, p := range closer {
		if p.ID != peer {
			shared = min(shared, target.CommonPrefix(p.Key))
		}
	}
	if shared == key.Bits {
		return // it has nobody to name
	}
	for d := r.bits; d <= shared; d++ {
		x.open = append(x.open, region{target.FlipBit(d), d + 1})
	}
}

// call visits one peer: it asks until its whole table is known, a request
// fails, or enough was asked.
//
// First is called when it has answered for the first time.
func call(ctx context.Context, a Asker, to *contact.Info, cfg Config, first func()) (r report) {
	r.Info = to
	defer func() { a.Leave(r.Info) }()
	seen := map[contact.ID]bool{to.ID: true, cfg.Self: true}
	x := explore(to)
	for r.Asks < cfg.Asks {
		preimage, where, ok := x.next()
		if !ok {
			r.Whole = true
			return r
		}
		began := time.Now()
		ans := a.Ask(ctx, r.Info, preimage)
		r.Asks++
		if ans.Failure != contact.None {
			r.Failure, r.Detail = ans.Failure, ans.Detail
			return r
		}
		if !r.Answered {
			first()
		}
		r.answered(ans, time.Since(began))
		for _, p := range ans.Closer {
			if !seen[p.ID] {
				seen[p.ID] = true
				r.named = append(r.named, p)
			}
		}
		r.Named = len(r.named)
		x.answered(preimage, where, ans.Closer, to.ID)
	}
	return r
}

// answered notes that the peer lives, where, and how fast it is at its best:
// the first answer had to dial.
func (r *report) answered(ans Answer, took time.Duration) {
	r.Answered = true
	if r.RTT == 0 || took < r.RTT {
		r.RTT = took
	}
	if ans.From != nil && ans.From.ID == r.Info.ID && len(ans.From.Addrs) > 0 {
		r.Info = ans.From
	}
}
