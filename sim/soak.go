package sim

import (
	"math"
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
	growSamples   = 32  // eight in a quarter: the spread of fewer says nothing
)

// soak watches a town for days: what it keeps, and what those without a
// network send.
type soak struct {
	t       *town
	samples [][]float64 // by meter, then by time
	cut     []offline   // who has no network now
	worst   offline     // who has sent most of what it may in a minute
	back    wayBack
}

// offline is a member without a network: what it has sent in this minute, and
// how much that may be.
type offline struct {
	n            uint32
	sent, stated int
}

// meters are what must not grow. The seeds stay for all the time, while others
// begin anew with every session: what is never forgotten shows in them.
var meters = [...]struct {
	name string
	read func(*town) int
}{
	{"open operations", func(t *town) int { return t.each(func(a *actor) int { return len(a.open) }) }},
	{"requests under way", func(t *town) int { return t.each(func(a *actor) int { return len(a.requests) }) }},
	{"timers and messages", func(t *town) int { return t.w.pending() }},
	{"table entries", func(t *town) int { return t.each(func(a *actor) int { return t.w.nodes[a.n].tab.Len() }) }},
	{"connections", func(t *town) int { return t.each(func(a *actor) int { return a.conns.len() }) }},
	{"what engines keep", func(t *town) int { return t.each(func(a *actor) int { return a.engine.Kept() }) }},
	{"what the seeds keep", func(t *town) (sum int) {
		for n := range t.seeds() {
			if a := t.w.nodes[n].act; a != nil {
				sum += a.engine.Kept()
			}
		}
		return sum
	}},
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
// Nothing that a node keeps may grow, which is judged of runs of 32 samples (320
// minutes) and more; who is offline may not send more than is
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
	s := &soak{t: t, samples: make([][]float64, len(meters)), back: wayBack{bound: boot.BoundBack(false) + params.Epsilon}}
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
	r.Leaves, r.Offline, r.Stated = c.leaves, s.worst.sent, s.worst.stated
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
		stated := boot.DialsOffline(len(w.opt.Engine.Seeds)+params.MaxRemembered, w.nodes[n].tab.Len())
		s.cut = append(s.cut, offline{n: n, stated: stated})
	}
	for at := time.Minute; at <= outageLasts; at += time.Minute {
		w.After(at, s.minute)
	}
	w.After(outageLasts, func() {
		s.cut = s.cut[:0]
		for _, n := range cut {
			w.nodes[n].side = 0
			t.since[n] = w.now
		}
		s.watch(cut)
	})
}

// count counts what those send who are offline.
func (s *soak) count(n uint32) {
	for i := range s.cut {
		if s.cut[i].n == n {
			s.cut[i].sent++
		}
	}
}

// minute begins the next minute of an outage.
func (s *soak) minute() {
	for i := range s.cut {
		if o := &s.cut[i]; o.part() > s.worst.part() {
			s.worst = *o
		}
		s.cut[i].sent = 0
	}
}

// part is how much of what it may a member has sent.
func (o offline) part() float64 { return ratio(o.sent, o.stated) }

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

// quarters are the means of a meter in the second quarter of the time and in the
// last one, and how far chance alone may move these apart: three standard
// errors of the later one.
func quarters(all []float64) (early, late, chance float64) {
	n := len(all)
	last := all[n*3/4:]
	early, late = mean(all[n/4:n/2]), mean(last)
	for _, x := range last {
		chance += (x - late) * (x - late)
	}
	count := max(1, float64(len(last)))
	return early, late, 3 * math.Sqrt(chance/count/count)
}

// judged are the samples by which growth is told, by meter: none of a run that
// was too short for that (five hours and a third).
func (s *soak) judged() [][]float64 {
	if len(s.samples[0]) < growSamples {
		return nil
	}
	return s.samples
}

// growth is the most that any meter has grown from the second quarter of the
// time to the last one, as a factor, what chance can do left out.
func (s *soak) growth() (most float64) {
	for _, all := range s.judged() {
		early, late, chance := quarters(all)
		most = max(most, (late-chance+1)/(early+1))
	}
	return most
}

// verdict says what grew, or who sent too much.
func (s *soak) verdict(err error) error {
	if err != nil {
		return err
	}
	if s.worst.sent > s.worst.stated {
		return s.t.w.broken("a member without a network sent %d requests in a minute, more than %d", s.worst.sent, s.worst.stated)
	}
	for i, all := range s.judged() {
		early, late, chance := quarters(all)
		if late > early*mayGrow+chance {
			return s.t.w.broken("%s grew from %.1f to %.1f, all members together", meters[i].name, early, late)
		}
	}
	return nil
}
