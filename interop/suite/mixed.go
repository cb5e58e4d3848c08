package main

import (
	"context"
	"fmt"
	"sync"
	"time"
)

// runMixed makes one network of peers of every kind, and has records that each
// kind stores found by each other.
func (s *suite) runMixed(ctx context.Context, peers int) {
	const where = "network of all"
	var all []*proc
	defer func() {
		for _, p := range all {
			p.stop()
		}
	}()
	for i := range peers {
		p, err := spawn(ctx, s.kinds[i%len(s.kinds)])
		if err == nil && i > 0 {
			err = p.connect(all[0])
		}
		if err != nil {
			s.note("start", where, err)
			return
		}
		all = append(all, p)
	}
	s.note("bootstrap", where, again(func() error {
		return s.each(all, func(p *proc) error { return p.doWithin("refresh", nil, nil, 90*time.Second) })
	}))
	s.note("lookups find most", where, again(func() error { return s.lookups(all) }))
	for i, k := range s.kinds {
		s.note("records of "+k.Name+" are found by all", where, again(func() error { return s.foundByAll(all, i) }))
	}
}

// lookups wants every peer to find most of the others. One looks after the
// other: twenty at once make handshakes, some of them in JavaScript, take longer
// on two cores than a request may.
func (s *suite) lookups(all []*proc) error {
	for _, p := range all {
		var r struct {
			Peers    []string
			Outcome  string // of our own peers only
			Failures string
		}
		if err := p.do("getClosestPeers", args{"key": "somewhere"}, &r); err != nil {
			return err
		}
		if len(r.Peers) < len(all)*3/4 {
			return fmt.Errorf("%s found %d of %d %s %s", p.Kind, len(r.Peers), len(all), r.Outcome, r.Failures)
		}
	}
	return nil
}

// each has every peer do something, all at once, and returns the first error.
func (s *suite) each(all []*proc, what func(*proc) error) error {
	errs := make([]error, len(all))
	var wg sync.WaitGroup
	for i, p := range all {
		wg.Go(func() { errs[i] = what(p) })
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// foundByAll has one peer store a value and announce itself, and one of each
// kind find both.
func (s *suite) foundByAll(all []*proc, by int) error {
	from := all[by]
	key, value := "/v/mixed-"+from.Kind, "7:"+from.Kind
	if err := from.do("put", args{"key": key, "value": value}, nil); err != nil {
		return err
	}
	if err := from.do("provide", args{"key": key}, nil); err != nil {
		return err
	}
	for i := range s.kinds {
		p := all[len(s.kinds)+i]
		if p.Kind != s.kinds[i].Name {
			return fmt.Errorf("peer %d is of %s", len(s.kinds)+i, p.Kind)
		}
		if err := (pair{two: p}).got(args{"key": key}, value); err != nil {
			return err
		}
		var r struct{ Providers []struct{ ID string } }
		if err := p.do("findProviders", args{"key": key}, &r); err != nil {
			return err
		}
		if len(r.Providers) == 0 || r.Providers[0].ID != from.ID {
			return fmt.Errorf("%s found %d providers", p.Kind, len(r.Providers))
		}
	}
	return nil
}
