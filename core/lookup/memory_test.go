package lookup

import (
	"encoding/binary"
	"fmt"
	"runtime"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// host returns a contact in the IP group of 127.group.0.0.
func host(name string, group byte) *contact.Info {
	return contact.New(contact.ID(name), contact.Addr([]byte{4, 127, group, 0, 1, 6, 0, 1}))
}

func TestMemoryDoublesUpToItsMaximum(t *testing.T) {
	var m Memory
	peer, now := host("a", 1), mono.Time(0)
	for i, span := range []time.Duration{60, 120, 240, 480, 600, 600, 600, 600, 600, 600, 600} {
		span *= time.Second
		m.Failed(peer, now)
		m.Failed(peer, now.Add(span/2)) // while it is remembered, nothing new
		if !m.Doubtful(peer, now.Add(span-1)) || m.Doubtful(peer, now.Add(span)) {
			t.Fatalf("failure %d is not remembered for %v", i+1, span)
		}
		now = now.Add(span)
	}
}

func TestSuccessClearsTheMemory(t *testing.T) {
	var m Memory
	peer := host("a", 1)
	m.Failed(peer, 0)
	m.Failed(peer, mono.Time(params.MemoryFirst))
	m.Answered(peer)
	if m.Doubtful(peer, 1) {
		t.Error("it answered and is doubted")
	}
	m.Failed(peer, 0)
	if m.Doubtful(peer, mono.Time(params.MemoryFirst)) {
		t.Error("after a success the time does not start over")
	}
	m.Answered(host("stranger", 1)) // nobody knows it, and nothing happens
	if m.Len() != 1 {
		t.Errorf("%d entries", m.Len())
	}
}

func TestANewAddressRevives(t *testing.T) {
	var m Memory
	peer := host("a", 1)
	m.Failed(peer, 0)
	moved := contact.New(peer.ID, peer.Addrs[0], host("a", 2).Addrs[0])
	if m.Doubtful(moved, 1) || !m.Doubtful(peer, 1) {
		t.Error("one new address revives a peer, and none does not")
	}
	m.Failed(moved, 1)
	if !m.Doubtful(moved, 2) || !m.Doubtful(peer, 2) {
		t.Error("it failed on both addresses")
	}
}

func TestTheMemoryIsCappedAndForgetsTheOldest(t *testing.T) {
	var m Memory
	name := func(i int) *contact.Info { return host(fmt.Sprint(i), 1) }
	for i := range params.MemoryEntries + 2 {
		m.Failed(name(i), 0)
	}
	if m.Len() != params.MemoryEntries {
		t.Errorf("%d entries, cap %d", m.Len(), params.MemoryEntries)
	}
	for i, want := range map[int]bool{0: false, 1: false, 2: true, params.MemoryEntries + 1: true} {
		if m.Doubtful(name(i), 1) != want {
			t.Errorf("peer %d doubtful: %v, want %v", i, !want, want)
		}
	}
	c := m.Clone()
	m.Forget()
	if m.Len() != 0 || c.Len() != params.MemoryEntries {
		t.Error("a copy shares its entries")
	}
}

// TestTheMemoryTakesNoMoreRoomThanItSays, whoever fills it: peers with the
// longest names and as many of the longest addresses as are kept, of which the
// book has forgotten all.
func TestTheMemoryTakesNoMoreRoomThanItSays(t *testing.T) {
	long := func(i int) *contact.Info {
		name := make([]byte, params.MaxID)
		binary.BigEndian.PutUint32(name, uint32(i))
		var addrs []contact.Addr
		for n := range params.MaxAddrs {
			addr := make([]byte, params.MaxAddrLen)
			addr[0] = byte(n)
			binary.BigEndian.PutUint32(addr[1:], uint32(i))
			addrs = append(addrs, contact.Addr(addr))
		}
		return contact.New(contact.ID(name), addrs...)
	}
	var m Memory
	before := heap()
	for i := range 3 * params.MemoryEntries {
		m.Failed(long(i), 0)
	}
	took := int(heap() - before)
	if last := long(3*params.MemoryEntries - 1); m.Len() != params.MemoryEntries || !m.Doubtful(last, 1) {
		t.Fatalf("%d entries", m.Len())
	}
	t.Logf("%d entries take %d KiB", m.Len(), took>>10)
	if took > params.MemoryRoom {
		t.Errorf("%d entries take %d bytes, and are said to take %d at most", m.Len(), took, params.MemoryRoom)
	}
	runtime.KeepAlive(&m)
}

// heap is how much of the heap is in use once what nobody needs is gone.
func heap() uint64 {
	var m runtime.MemStats
	runtime.GC()
	runtime.GC()
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// fails tells a memory of n failures across so many groups, a millisecond
// apart, of attempts that had just begun, and returns whether the last may be
// held against its peer.
func fails(m *Memory, n, groups int, from mono.Time) (blame bool) {
	for i := range n {
		at := from.Add(time.Duration(i) * ms)
		blame = m.Failure(host("x", byte(i%groups)), at, at, Loss{})
	}
	return blame
}

func TestAnOutageOfOurOwnBlamesNobody(t *testing.T) {
	var m Memory
	m.Answer(0)
	if !fails(&m, params.OutageFailures-1, params.OutageGroups, 1) {
		t.Error("too few failures for an outage")
	}
	if fails(&m, 1, 1, 20) {
		t.Error("everybody fails, and somebody is blamed")
	}
	if m.Down(mono.Time(params.HardSlow)) || !m.Down(mono.Time(params.HardSlow+1)) || m.DownAt() != mono.Time(params.HardSlow+1) {
		t.Error("the node is down once nobody has answered for the longest patience")
	}
	if since, any := m.SinceAnswer(25); since != 25 || !any {
		t.Errorf("the last answer was %v ago", since)
	}
	if fails(&m, 1, 1, mono.Time(2*params.OutageWindow)) {
		t.Error("an outage does not end by itself")
	}
	m.Answer(30)
	if m.Down(mono.Never) || m.DownAt() != mono.Never || !fails(&m, 1, 1, 31) {
		t.Error("an answer ends the outage")
	}
}

func TestWhatFailsBesideANetworkThatWorksIsBlamed(t *testing.T) {
	var m Memory
	for i := range 10 * params.OutageFailures { // asked before the last answer, failed after it
		m.Answer(10)
		if !m.Failure(host("x", byte(i%params.OutageGroups)), 10, 20, Loss{}) {
			t.Fatal("half of the network is dead, and it passes for an outage of our own")
		}
	}
	if m.Down(mono.Never) {
		t.Fatal("somebody answered while they failed")
	}
}

func TestOneGroupThatFailsIsNoOutage(t *testing.T) {
	var m Memory
	if !fails(&m, 10*params.OutageFailures, params.OutageGroups-1, 0) || m.Down(mono.Never) {
		t.Error("two groups are no outage of our own, however often they fail")
	}
	var old Memory
	fails(&old, params.OutageFailures-1, params.OutageGroups, 0)
	if !fails(&old, 1, 1, mono.Time(params.OutageWindow+time.Hour)) {
		t.Error("failures of an hour ago still count")
	}
}

// quarter is a table of contacts whose groups a test names; whoever is blamed
// leaves it.
type quarter []byte

// lose tells the memory that the first contact has failed, at a moment.
func (q *quarter) lose(m *Memory, at mono.Time) (blame bool) {
	peer := host(fmt.Sprint(len(*q)), (*q)[0])
	others := (*q)[1:]
	blame = m.Failure(peer, at, at, Loss{Member: true, Others: func(yield func(contact.Group) bool) {
		for _, g := range others {
			if !yield(host("", g).Group()) {
				return
			}
		}
	}})
	if blame {
		m.Failed(peer, at)
		*q = others
	}
	return blame
}

// TestATownInOnePlaceThatFallsSilentIsAnOutage: where all live in one network or
// two, the last contact of a table is not blamed, nor is more than eleven.
func TestATownInOnePlaceThatFallsSilentIsAnOutage(t *testing.T) {
	for _, places := range []byte{1, 2} {
		for _, n := range []int{1, 2, 5, params.OutageFailures, params.OutageFailures + 1, 40} {
			var m Memory
			m.Answer(0)
			var q quarter
			for i := range n {
				q = append(q, byte(i)%places)
			}
			blamed := 0
			for at := mono.Time(1); q.lose(&m, at); at++ {
				blamed++
			}
			if want := min(n, params.OutageFailures) - 1; blamed != want || !m.Down(mono.Time(params.HardSlow+1)) {
				t.Fatalf("%d of %d in %d places are blamed, want %d", blamed, n, places, want)
			}
			if fails(&m, 3, 1, 100) || fails(&m, 1, 1, mono.Time(2*params.OutageWindow)) {
				t.Error("an outage ends by itself")
			}
		}
	}
}

func TestWhoFailedLongAgoMakesNoOutage(t *testing.T) {
	var m Memory
	q := make(quarter, 2*params.OutageFailures)
	for i := range params.OutageFailures + 5 {
		if !q.lose(&m, mono.Time(i)*mono.Time(params.OutageWindow/2)) {
			t.Fatalf("the failure number %d, five seconds after the one before", i+1)
		}
	}
	if m.Silent(0) != true || m.Silent(1) != true {
		t.Error("nobody has ever answered")
	}
	if m.Answer(5); m.Silent(5) || !m.Silent(6) {
		t.Error("somebody answered at 5")
	}
}

// TestOnePlaceOfSeveralThatFailsIsNoOutage: that one network is down, or that
// somebody with one network takes all of it away, is held against it.
func TestOnePlaceOfSeveralThatFailsIsNoOutage(t *testing.T) {
	var m Memory
	q := append(make(quarter, 40), 1)
	for at := mono.Time(1); len(q) > 1; at++ {
		if !q.lose(&m, at) {
			t.Fatalf("with %d left, one of them elsewhere", len(q))
		}
	}
}

// TestNamesOfNobodyAreNoOutage: who names others may name as many neighbours as
// it likes that never were.
func TestNamesOfNobodyAreNoOutage(t *testing.T) {
	var m Memory
	neighbours := func(yield func(contact.Group) bool) { yield(host("", 0).Group()) }
	for i := range 10 * params.OutageFailures {
		if !m.Failure(host(fmt.Sprint(i), 0), 1, 1, Loss{Others: neighbours}) {
			t.Fatalf("%d strangers are an outage of a town in one place", i+1)
		}
	}
}
