package waymark

import (
	"fmt"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
)

// However many peers are connected, who has moved is told of at its new address.
func TestWhoIsKnownIsToldOfWhereItIsNow(t *testing.T) {
	f := newFirstHand()
	for i := range params.MaxPeerNews + 1 {
		f.learn(contact.ID(fmt.Sprint(i)), []contact.Addr{"old"})
	}
	f.learn("0", []contact.Addr{"new"})
	if c := f.with("0", nil); c == nil || len(c.Addrs) != 1 || c.Addrs[0] != "new" {
		t.Errorf("%+v", c)
	}
	if c := f.with(contact.ID(fmt.Sprint(params.MaxPeerNews)), nil); c != nil {
		t.Errorf("there was room for %+v", c)
	}
	proved := make([]contact.Addr, 1, 4)
	proved[0] = "proved"
	f.with("0", proved)
	if spare := proved[:2][1]; spare != "" {
		t.Errorf("what was proved has %q behind it now", spare)
	}
}
