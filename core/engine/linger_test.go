package engine

import (
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/params"
)

// refreshes returns when the walks of a village's bootstraps began and ended.
func (v *village) refreshes() (began, ended []mono.Time) {
	for _, f := range v.facts {
		switch f := f.(type) {
		case OpStarted:
			if f.Kind == KindRefresh {
				began = append(began, f.At)
			}
		case OpEnded:
			if f.Kind == KindRefresh {
				ended = append(ended, f.At)
			}
		}
	}
	return began, ended
}

// The steps of a bootstrap depend on whom the one before has met, not on who
// never answers it: so the silent of all steps are waited for at the same time.
func TestTheStepsOfABootstrapWaitForTheSilentTogether(t *testing.T) {
	v := newVillage(t, 100, Config{})
	for i := 10; i < len(v.members); i += 3 {
		v.mute[v.members[i].ID] = true
	}
	v.step(StartBootstrap{Op: 1})
	v.run()
	r := v.result(1)
	began, ended := v.refreshes()
	if r.Outcome != Ready || len(began) < 4 || r.Stats.Failures[contact.Silent] == 0 {
		t.Fatalf("%v after %d walks, %d silent: the village is too small to say anything", r.Outcome, len(began), r.Stats.Failures[contact.Silent])
	}
	if last := began[len(began)-1]; last >= ended[0] {
		t.Errorf("the last step began at %v, after the first had ended at %v", time.Duration(last), time.Duration(ended[0]))
	}
	if took := r.Ended.Sub(r.Started); took > params.HardMax+params.HardMinCold {
		t.Errorf("it took %v, though the silent of the first step took %v", took, params.HardMax)
	}
	for _, f := range v.facts { // of use is who has waited for all that may be near
		if f, ok := f.(BecameReady); ok && f.At < ended[0] {
			t.Errorf("ready at %v, before the walk to itself had ended at %v", time.Duration(f.At), time.Duration(ended[0]))
		}
	}
}

// In an outage nobody answers, and to wait for everybody is not to linger.
func TestWhoHearsNobodyDoesNotGoOn(t *testing.T) {
	v := newVillage(t, 40, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
		v.mute[m.ID] = true
	}
	v.step(StartBootstrap{Op: 1})
	v.run()
	v.result(1)
	began, ended := v.refreshes()
	for i := 1; i < len(began); i++ {
		if began[i] < ended[0] {
			t.Errorf("step %d began at %v, before the walk to itself had ended at %v", i, time.Duration(began[i]), time.Duration(ended[0]))
		}
	}
}

// The seed's first answer names whom the node has to ask next. It is enough.
func TestASeedThatAnswersOnceHasHelped(t *testing.T) {
	v := newVillage(t, 60, Config{})
	seed, answered := v.members[0], false
	v.serve = func(eff Effect) Event {
		s := eff.(Send)
		if s.To.ID == seed.ID {
			if answered {
				return nil
			}
			answered = true
		}
		return Answered{Attempt: s.Attempt, Closer: v.nearest(s.Key)}
	}
	v.step(StartBootstrap{Op: 1})
	v.run()
	if r := v.result(1); r.Outcome != Ready || r.Report.Table < params.K {
		t.Errorf("%v with %d contacts", r.Outcome, r.Report.Table)
	}
	v.rested()
	for _, o := range v.e.ops {
		if len(o.told) > 0 {
			t.Errorf("operation %d still holds whom the seed named", o.id)
		}
	}
}

// Over a connection that is there a request needs no longer than one that has
// to make it: what is learnt of these hastens those, known or not.
func TestWhatIsLearntOfDialsHastensWhoIsConnected(t *testing.T) {
	v := newVillage(t, 60, Config{})
	for _, m := range v.members {
		v.step(Vouched{Peer: m})
	}
	silent := v.nearest([]byte("key"))[:3]
	for _, m := range silent {
		v.mute[m.ID] = true
		v.step(Connected{Peer: m.ID})
	}
	v.step(StartLookup{Op: 1, Kind: KindLookup, Preimage: []byte("key")})
	v.run()
	v.result(1)
	for _, f := range v.facts {
		if f, ok := f.(RequestSent); ok && v.mute[f.Peer.ID] {
			if at, told := v.hastened[f.Attempt]; !told || at > f.At.Add(params.HardMinCold) {
				t.Errorf("a request to the silent is wanted by %v, told: %v", at, told)
			}
		}
	}
}
