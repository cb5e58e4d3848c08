package engine

import (
	"fmt"
	"slices"
	"testing"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/table"
)

// scattered is n contacts at random.
func scattered(book *contact.Book, n int) (all []contact.Handle) {
	for i := range n {
		h, _ := book.Intern(contact.New(contact.ID(fmt.Sprint("peer ", i)), "\x04\x7f\x00\x00\x01\x06\x00\x01"))
		all = append(all, h)
	}
	return all
}

// nearestOf are the k of some contacts that are nearest to a key.
func nearestOf(book *contact.Book, all []contact.Handle, target key.Key) []contact.Handle {
	near := slices.Clone(all)
	slices.SortFunc(near, func(a, b contact.Handle) int { return target.Closer(book.Info(a).Key, book.Info(b).Key) })
	return near[:params.K]
}

var tableOfAll = table.Config{NoDiversity: true}

// Who controls few IP groups cannot end a provide early.
func TestAnEarlyEndNeedsPeersOfSeveralGroups(t *testing.T) {
	of := func(groups, n int) (cs []*contact.Info) {
		for i := range n {
			cs = append(cs, contact.New(contact.ID(fmt.Sprint(i)), contact.Addr([]byte{4, 1, byte(i % groups), 0, byte(i), 6, 0, 1})))
		}
		return cs
	}
	for _, c := range []struct {
		groups, stored, enough int
		cfg                    table.Config
		want                   bool
	}{
		{5, 10, 10, table.Config{}, true},
		{4, 20, 10, table.Config{}, false},
		{20, 9, 10, table.Config{}, false},
		{20, 20, 0, table.Config{}, false},
		{1, 10, 10, table.Config{NoDiversity: true}, true},
	} {
		e := New(Config{Table: c.cfg}, contact.New("self"), contact.NewBook(), 1)
		if got := e.early(&storing{enough: c.enough, stored: of(c.groups, c.stored)}); got != c.want {
			t.Errorf("%+v: %v", c, got)
		}
	}
	local := make([]*contact.Info, 10)
	for i := range local {
		local[i] = contact.New(contact.ID(fmt.Sprint(i)), "\x04\x7f\x00\x00\x01\x06\x00\x01")
	}
	exempt := New(Config{Table: table.Config{ExemptLoopback: true}}, contact.New("self"), contact.NewBook(), 1)
	strict := New(Config{}, contact.New("self"), contact.NewBook(), 1)
	if s := (&storing{enough: 10, stored: local}); !exempt.early(s) || strict.early(s) {
		t.Error("loopback counts as one place, unless it is exempt")
	}
}

// A get that is besieged asks the whole region and beyond, and corrects who is
// in it: who is not would keep a value for which nobody will ask them.
func TestAGetUnderSiegeCorrectsTheRegionAlone(t *testing.T) {
	book := contact.NewBook()
	book.Pin()
	e := New(Config{Table: tableOfAll}, contact.New("self"), book, 1)
	all := scattered(book, 2000)
	for i := range params.SpacingSamples {
		target := key.Of(fmt.Append(nil, "sample ", i))
		e.spacing.Add(target.Xor(book.Info(nearestOf(book, all, target)[params.K-1]).Key)[0])
	}
	o := e.newOp(1, KindGet, []byte("besieged"), 0, 1)
	slices.SortFunc(all, func(a, b contact.Handle) int { return o.target.Closer(book.Info(a).Key, book.Info(b).Key) })
	o.get, o.eclipse = &getting{best: -1}, true
	if !e.open(o) {
		t.Fatal("refused")
	}
	e.heardValue(o, all[0], &record.Record{Value: []byte("good")})
	e.getWalked(o, Result{Outcome: Converged}, all[:params.MaxWanted])
	if len(e.queued) != 1 {
		t.Fatalf("%d operations wait", len(e.queued))
	}
	n, most := len(e.queued[0].store.todo), 3*params.CrowdRegion*params.K/2
	if n < params.K-1 || n > most {
		t.Errorf("the value goes to %d, in a region of some %d", n, params.CrowdRegion*params.K)
	}
}
