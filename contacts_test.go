package waymark_test

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

func TestContactsSayWhenEachAnsweredLast(t *testing.T) {
	testkit.InBubble(t, func(t *testing.T, w *testkit.World) {
		servers := w.Servers(5, waymark.Config{})
		d := w.Node(waymark.Config{Seeds: seedsAt(t, servers[0])})
		began := time.Now()
		w.Check(d.WaitReady(t.Context()))
		testkit.Pass(time.Minute)
		list := d.Contacts()
		if len(list) != len(servers) {
			t.Fatalf("%d of %d servers are listed", len(list), len(servers))
		}
		for _, c := range list {
			if c.Answered.Before(began.Add(-params.UsefulUnit)) || c.Answered.After(time.Now()) || len(c.Addrs) == 0 {
				t.Errorf("%+v", c)
			}
		}
		w.Check(d.Close())
		if list := d.Contacts(); list != nil {
			t.Errorf("once it is closed it lists %d", len(list))
		}
	})
}
