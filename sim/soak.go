package sim

import (
	"time"

	"github.com/waymark-dht/waymark/core/boot"
	"github.com/waymark-dht/waymark/core/params"
)

const (
	soakNodes     = 100
	soakLasts     = 7 * 24 * time.Hour
	sampleEvery   = 10 * time.Minute
	outageEvery   = 3 * time.Hour
	outageFirst   = 30 * time.Minute
	outageLasts   = 30 * time.Minute
	outagePercent = 5
	mayGrow       = 1.1 // the last quarter against the second one
)

// soak watches a town for days: what it keeps, and what those without a
// network send.
type soak struct {
	t       *town
	samples [][]float64    // by meter, then by time
	sent    map[uint32]int // this minute, by those who have no network
	most    int            // by one of them in a minute
	stated  int            // and how many are allowed
	back    wayBack
}

// meters are what must not grow.
var meters = [...]struct {
	name string
	read func(*town) int
}{
	{"open operations", func(t *town) int { return t.each(func(a *actor) int { return len(a.open) }) }},
	{"requests under way", func(t *town) int { return t.each(func(a *actor) int { return len(a.requests) }) }},
	{"timers and messages", func(t *town) int { return t.w.pending() }},
	{"table entries", func(t *town) int { return t.each(func(a *actor) int { return t.w.nodes[a.n].tab.Len() }) }},
	{"connections", func(t *town) int { return t.each(func(a *actor) int { return a.conns.len() }) }},
}

// each sums something up over the members that act.
func (t *town) each(of func(*actor) int) (sum int) {
	for i := range t.w.nodes {
		if a := t.w.nodes[i].act; a != nil {
			sum += of(a)
		}
	}
	return sum
}

// pending is how much waits in the queue.
func (w *World) pending() int { return len(w.queue.heap) }

// Soak lets the members of a town come and go for a week, in use all the time;
// every three hours a twentieth of them is without a network for half an hour.
// Nothing that a node keeps may grow, who is offline may not send more than is
// stated, and is of use again within the way back. Then there are lookups.
func Soak(opt Options) (Result, error) {
	if opt.Nodes == 0 {
		opt.Nodes = soakNodes
	}
	t := newTown("soak", opt)
	w := t.w
	if err := t.inhabit(); err != nil {
		return t.end(err)
	}
	t.mark("soak")
	c := t.churn()
	s := &soak{t: t, samples: make([][]float64, len(meters)), sent: make(map[uint32]int), back: wayBack{bound: boot.BoundBack(false) + params.Epsilon}}
	w.sent = s.count
	began, lasts := w.now, w.opt.lasts(soakLasts)
	for w.now.Sub(began) < lasts {
		if err := t.useEvery(time.Minute, sampleEvery); err != nil {
			return t.end(err)
		}
		s.sample()
		if w.now.Sub(began)%outageEvery == outageFirst {
			s.outage()
		}
	}
	c.stopped, w.sent = true, nil
	if err := w.Run(w.now.Add(outageLasts + s.back.bound)); err != nil {
		return t.end(err)
	}
	t.mark("asked")
	r, err := t.end(t.lookups())
	r.Leaves, r.Offline, r.Stated = c.leaves, s.most, s.stated
	r.Samples, r.Growth, err = len(s.samples[0]), s.growth(), s.verdict(err)
	return s.back.report(t, r, err)
}

// sample reads every meter.
func (s *soak) sample() {
	for i, m := range meters {
		s.samples[i] = append(s.samples[i], float64(m.read(s.t)))
	}
}

// outage takes the network of some members away for a while.
func (s *soak) outage() {
	t, w := s.t, s.t.w
	cut := t.some(outagePercent)
	t.isolate(cut)
	for _, n := range cut {
		s.stated = max(s.stated, boot.DialsOffline(len(w.opt.Engine.Seeds)+params.MaxRemembered, w.nodes[n].tab.Len()))
		s.sent[n] = 0
	}
	for at := time.Minute; at <= outageLasts; at += time.Minute {
		w.After(at, s.minute)
	}
	w.After(outageLasts, func() {
		clear(s.sent)
		for _, n := range cut {
			w.nodes[n].side = 0
			t.since[n] = w.now
		}
		s.watch(cut)
	})
}

// count counts what those send who are offline.
func (s *soak) count(n uint32) {
	if _, cut := s.sent[n]; cut {
		s.sent[n]++
	}
}

// minute begins the next minute of an outage.
func (s *soak) minute() {
	for n, sent := range s.sent {
		s.most = max(s.most, sent)
		s.sent[n] = 0
	}
}

// watch looks whether those whose network is back are of use in time.
func (s *soak) watch(cut []uint32) {
	t, w, end := s.t, s.t.w, s.t.w.now
	w.After(s.back.bound, func() {
		for _, n := range cut {
			switch {
			case t.since[n] != end || w.nodes[n].state != healthy: // it has left, or is offline again
			case t.ready[n] >= end:
				s.back.took = append(s.back.took, t.ready[n].Sub(end))
			default:
				s.back.late++
			}
		}
	})
}

// growth is the most that any meter has grown from the second quarter of the
// time to the last one, as a factor.
func (s *soak) growth() (most float64) {
	for _, all := range s.samples {
		n := len(all)
		early, late := mean(all[n/4:n/2]), mean(all[n*3/4:])
		most = max(most, (late+1)/(early+1))
	}
	return most
}

// verdict says what grew, or who sent too much.
func (s *soak) verdict(err error) error {
	if err != nil {
		return err
	}
	if s.most > s.stated {
		return s.t.w.broken("a member without a network sent %d requests in a minute, more than %d", s.most, s.stated)
	}
	for i, all := range s.samples {
		n := len(all)
		early, late := mean(all[n/4:n/2]), mean(all[n*3/4:])
		// A short run has few samples, and they scatter.
		if n >= 100 && late > early*mayGrow+1 {
			return s.t.w.broken("%s grew from %.1f to %.1f, all members together", meters[i].name, early, late)
		}
	}
	return nil
}
