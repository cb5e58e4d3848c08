package waymark_test

import (
	"errors"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/libp2p/go-libp2p/core/connmgr"
	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// manager is a connection manager that notes what it is told, and may be stuck.
type manager struct {
	connmgr.NullConnMgr
	mu        sync.Mutex
	tagged    map[peer.ID]int
	protected map[peer.ID]int
	stuck     chan struct{} // closed when it is not
}

func newManager() *manager {
	m := &manager{tagged: make(map[peer.ID]int), protected: make(map[peer.ID]int), stuck: make(chan struct{})}
	close(m.stuck)
	return m
}

func (m *manager) note(of map[peer.ID]int, id peer.ID, by int) {
	<-m.stuck
	m.mu.Lock()
	defer m.mu.Unlock()
	if of[id] += by; of[id] == 0 {
		delete(of, id)
	}
}

func (m *manager) TagPeer(id peer.ID, _ string, _ int) { m.note(m.tagged, id, 1) }
func (m *manager) UntagPeer(id peer.ID, _ string)      { m.note(m.tagged, id, -1) }
func (m *manager) Protect(id peer.ID, _ string)        { m.note(m.protected, id, 1) }
func (m *manager) Unprotect(id peer.ID, _ string) bool { m.note(m.protected, id, -1); return false }

// told returns who is tagged and who is protected. Each is so once.
func (m *manager) told(t *testing.T) (tagged, protected []peer.ID) {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for of, list := range map[*map[peer.ID]int]*[]peer.ID{&m.tagged: &tagged, &m.protected: &protected} {
		for id, n := range *of {
			if n != 1 {
				t.Errorf("the manager was told %d times of %v", n, id)
			}
			*list = append(*list, id)
		}
		slices.Sort(*list)
	}
	return tagged, protected
}

// managedHost is a host with a connection manager of its own.
type managedHost struct {
	host.Host
	manager *manager
}

func (h *managedHost) ConnManager() connmgr.ConnManager { return h.manager }

func managed(w *testkit.World, m *manager, cfg waymark.Config) *waymark.DHT {
	return w.NodeOn(&managedHost{w.Host(), m}, cfg)
}

func TestTheConnectionManagerKnowsWhomTheTableHolds(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(params.K+10, waymark.Config{})
		m := newManager()
		d := managed(w, m, waymark.Config{Seeds: seedsAt(t, servers[0])})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		near := nearest(servers, string(d.PeerID()), params.K)
		slices.Sort(near)
		if tagged, protected := m.told(t); len(tagged) != d.RoutingTable().Size || !slices.Equal(protected, near) {
			t.Errorf("%d tagged of %d, protected\n%v, and nearest are\n%v", len(tagged), d.RoutingTable().Size, protected, near)
		}
		gone := near[0]
		for _, s := range servers {
			if s.PeerID() == gone {
				w.Check(s.Close()) // it withdraws the protocol
			}
		}
		synctest.Wait()
		tagged, protected := m.told(t)
		if slices.Contains(tagged, gone) || slices.Contains(protected, gone) || len(protected) != params.K {
			t.Errorf("one left the table, and is still known; %d are protected", len(protected))
		}
		w.Check(d.Close())
		if tagged, protected := m.told(t); len(tagged)+len(protected) != 0 {
			t.Errorf("after Close %d are tagged, %d protected", len(tagged), len(protected))
		}
	})
}

func TestAConnectionManagerThatIsStuckHoldsUpNobody(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(5, waymark.Config{})
		m := newManager()
		m.stuck = make(chan struct{})
		d := managed(w, m, waymark.Config{Seeds: seedsAt(t, servers[0])})
		if _, err := d.RunBootstrap(t.Context()); err != nil {
			t.Fatal(err)
		}
		began := time.Now()
		if err := d.Close(); !errors.Is(err, waymark.ErrLeftover) || time.Since(began) > d.Bound(waymark.OpClose) {
			t.Errorf("close: %v after %v", err, time.Since(began))
		}
		close(m.stuck) // the bubble ends only if all goroutines do
		synctest.Wait()
	})
}
