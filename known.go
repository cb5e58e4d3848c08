package waymark

import (
	"slices"
	"sync"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// firstHand is the addresses that connected peers have told of themselves by
// identify, filtered by the address policy. Only these, and those that a dial
// has proved, are passed on to others. It forgets a peer with its connection.
type firstHand struct {
	mu sync.RWMutex
	of map[contact.ID][]contact.Addr
}

func newFirstHand() *firstHand { return &firstHand{of: make(map[contact.ID][]contact.Addr)} }

func (f *firstHand) learn(id contact.ID, addrs []contact.Addr) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, known := f.of[id]; known || len(f.of) < params.MaxPeerNews {
		f.of[id] = addrs
	}
}

func (f *firstHand) forget(id contact.ID) {
	f.mu.Lock()
	defer f.mu.Unlock()
	delete(f.of, id)
}

// with returns a peer with the address that a dial has proved, if there is
// one, before those that it has told; nil if there is neither.
func (f *firstHand) with(id contact.ID, proved []contact.Addr) *contact.Info {
	f.mu.RLock()
	told := f.of[id]
	f.mu.RUnlock()
	addrs := slices.Clip(proved) // which is somebody else's
	for _, a := range told {
		if len(addrs) < params.MaxAddrs && !slices.Contains(addrs, a) {
			addrs = append(addrs, a)
		}
	}
	if len(addrs) == 0 {
		return nil
	}
	return contact.New(id, addrs...)
}
