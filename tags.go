package waymark

import (
	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark/core/params"
)

// tags tells the host's connection manager which connections the table is
// worth: everybody in it a little, and the k nearest so much that they are not
// closed at all, for every lookup near the node and its way back begin with
// them. A manager is foreign code, which may take its time; so it is told on a
// goroutine of its own, of the table as it is then and not of each change.
type tags struct {
	*DHT
	manager connmgr.ConnManager
	name    string        // that of the network: a host may be in several
	wake    chan struct{} // has room for one: the table changed
	ended   chan struct{}
	near    map[peer.ID]bool // whom the manager was told of; true if protected
}

func newTags(d *DHT) *tags {
	t := &tags{
		DHT: d, manager: d.host.ConnManager(), name: "waymark " + string(d.cfg.Protocol),
		wake: make(chan struct{}, 1), ended: make(chan struct{}), near: make(map[peer.ID]bool),
	}
	go t.loop()
	return t
}

// changed says that there is another snapshot. It never blocks.
func (t *tags) changed() {
	select {
	case t.wake <- struct{}{}:
	default:
	}
}

func (t *tags) loop() {
	defer close(t.ended)
	for {
		select {
		case <-t.wake:
			t.tell(t.wanted())
		case <-t.stopped:
			t.tell(nil)
			return
		}
	}
}

// wanted returns who is in the table, and who of them is among the k nearest.
func (t *tags) wanted() map[peer.ID]bool {
	s := t.snapshot.Load()
	want := make(map[peer.ID]bool, s.Len())
	for i, c := range s.Nearest(nil, t.self.Load().Key, s.Len()) {
		want[peer.ID(c.ID)] = i < params.K
	}
	return want
}

// tell makes the manager know what is wanted, by telling it what is new.
func (t *tags) tell(want map[peer.ID]bool) {
	for id, near := range want {
		was, known := t.near[id]
		if !known {
			t.manager.TagPeer(id, t.name, params.TagTable)
		}
		if near && !was {
			t.manager.Protect(id, t.name)
		}
	}
	for id, was := range t.near {
		near, kept := want[id]
		if was && !near {
			t.manager.Unprotect(id, t.name)
		}
		if !kept {
			t.manager.UntagPeer(id, t.name)
		}
	}
	t.near = want
}
