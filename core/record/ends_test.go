package record

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

func TestARecordEndsWhenItSays(t *testing.T) {
	now := mono.WallOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	after := func(d time.Duration) mono.Wall { return now + mono.Wall(d) }
	for _, c := range []struct {
		what   string
		ttl    uint32
		before *Record
		ends   time.Duration
	}{
		{"no time to live", 0, nil, params.ValueAge},
		{"an hour", 3600, nil, time.Hour},
		{"more than is kept", 1 << 31, nil, params.ValueAge},
	} {
		r := Record{Value: []byte("v"), TTL: c.ttl, TimeReceived: "a claim"}
		r.Arrive(now, c.before)
		if r.Received() != now || r.Ends() != after(c.ends) {
			t.Errorf("%s: received %v, ends after %v", c.what, r.Received(), time.Duration(r.Ends()-now))
		}
	}
}

// What is stored again by those who have it ends when the original does, as
// often as it goes round; what its publisher puts again ends later.
func TestToStoreAgainDoesNotProlong(t *testing.T) {
	now := mono.WallOf(time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC))
	here := Record{Value: []byte("v"), TTL: 7200}
	here.Arrive(now, nil)
	ends := here.Ends()
	for range 10 {
		now += mono.Wall(7 * time.Minute)
		copied := here
		copied.Leave(now)
		there := copied
		there.Arrive(now, &here)
		if over := time.Duration(there.Ends() - ends); over < 0 || over > 10*time.Second {
			t.Fatalf("%v later it ends %v after the original", time.Duration(now), over)
		}
		here = there
	}
	again := Record{Value: []byte("v")}
	again.Arrive(now, &here)
	if again.Ends() != now+mono.Wall(params.ValueAge) {
		t.Error("a record that was put again is not kept for longer")
	}
	short := Record{Value: []byte("v"), TTL: 1}
	short.Arrive(now, &again)
	if short.Ends() < again.Ends() {
		t.Error("a copy that says less shortens what is there")
	}
	other := Record{Value: []byte("w"), TTL: 1}
	other.Arrive(now, &again)
	if other.Ends() != now+mono.Wall(time.Second) {
		t.Error("another value has the end of the one before")
	}
	gone := Record{Value: []byte("v"), TTL: 1}
	gone.Arrive(now, nil)
	gone.Leave(now + mono.Wall(time.Hour))
	if gone.TTL != 1 {
		t.Error("a record that has ended says that it has no end")
	}
}
