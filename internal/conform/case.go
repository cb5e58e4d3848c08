package conform

import (
	"context"
	"fmt"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
)

// Case is one way in which the target is treated.
type Case struct {
	Name  string // in the command line and in every report
	Group string // see Groups
	About string // what the kit does, in a line
	run   func(*try)
	slow  bool // with a driver, it waits for an operation of the target
}

// Groups are the groups of cases, in their order.
var Groups = []string{"frames", "load", "wire", "records", "answers", "names", "faults"}

func (c Case) named(name string) bool { return name == c.Name || name == c.Group }

// limit is the most that the case may take, and its aftermath with it.
func (c Case) limit(driven bool) time.Duration {
	if c.slow && driven {
		return lookupLimit + caseLimit + giveUpLimit + operateWithin
	}
	return caseLimit
}

// Cases returns every case, in the order in which they are tried.
func Cases() (all []Case) {
	for _, group := range [][]Case{frameCases, loadCases, wireCases, recordCases, answerCases, nameCases, faultCases()} {
		all = append(all, group...)
	}
	return all
}

// try is one case while it is tried.
type try struct {
	*kit
	Case
	ctx   context.Context
	began time.Time

	mu    sync.Mutex
	res   Result
	hosts []host.Host
	keep  bool // the hosts live on, as the target holds something of them
}

// saw notes what the target did.
func (t *try) saw(format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.Saw = append(t.res.Saw, fmt.Sprintf(format, args...))
}

func (t *try) fail(format string, args ...any) { t.note(Fail, format, args...) }
func (t *try) warn(format string, args ...any) { t.note(Warn, format, args...) }
func (t *try) skip(format string, args ...any) { t.note(Skipped, format, args...) }

func (t *try) note(v Verdict, format string, args ...any) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.res.worse(v, fmt.Sprintf(format, args...))
}

// result is what there is so far.
func (t *try) result() Result {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.res
}

// kept reports whether the hosts live on.
func (t *try) kept() bool {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.keep
}

// held is something that was left open towards the target.
type held struct {
	what  string
	grave Verdict // of still holding it when patience has ended
	since time.Time
	done  chan struct{}
	text  string
	took  time.Duration
}

// hold leaves something open towards the target and watches it: wait returns
// when the target has let go, or when the kit closes its hosts. What it returns
// is noted, if it is not empty.
func (t *try) hold(grave Verdict, what string, wait func() string) {
	h := &held{what: what, grave: grave, since: time.Now(), done: make(chan struct{})}
	t.mu.Lock()
	t.keep = true
	t.mu.Unlock()
	t.kit.mu.Lock()
	t.kit.held[t] = append(t.kit.held[t], h)
	t.kit.mu.Unlock()
	t.work.Go(func() {
		h.text = wait()
		h.took = time.Since(h.since)
		close(h.done)
	})
}

// settleHeld notes what became of what the case left open.
func (t *try) settleHeld(all []*held, drained time.Duration) {
	kept := map[string]int{}
	var order []*held
	for _, h := range all {
		t.res.Held++
		select {
		case <-h.done:
			t.res.Freed = max(t.res.Freed, h.took)
			if h.text != "" {
				t.res.Saw = append(t.res.Saw, h.text)
			}
		default:
			t.res.Kept++
			if kept[h.what]++; kept[h.what] == 1 {
				order = append(order, h)
			}
		}
	}
	for _, h := range order {
		age := time.Since(h.since).Round(time.Second)
		if drained < Patience {
			t.res.Saw = append(t.res.Saw, fmt.Sprintf("holds %d × %s after %v, which is not judged", kept[h.what], h.what, age))
			continue
		}
		t.res.worse(h.grave, fmt.Sprintf("still holds %d × %s after %v", kept[h.what], h.what, age))
	}
}
