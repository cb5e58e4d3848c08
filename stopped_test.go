//go:build unix

package waymark_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/internal/testkit"
)

// TestTheWayBackOfAStoppedProcess stops a node's process as a shell's ^Z does.
// Its clocks go on, and whoever it was connected to has given it up when it is
// continued. Any stop of more than ClockCheck and ClockGap together is noticed.
func TestTheWayBackOfAStoppedProcess(t *testing.T) {
	t.Parallel()
	for _, quic := range []bool{false, true} {
		lasts := time.Minute
		if !*wholeWayBack {
			lasts = params.ClockCheck + params.ClockGap + time.Second
		}
		if quic && !*wholeWayBack {
			continue
		}
		t.Run(transport(quic), func(t *testing.T) {
			t.Parallel()
			w := &wayBack{T: t, quic: quic, told: true, dials: new(gater), contacts: 2}
			w.serve(6)
			c := startChild(t, w.seeds())
			if c.next(time.Time{}, patience).at.IsZero() {
				t.Fatal("the child is not ready")
			}
			w.began = time.Now()
			if err := c.Process.Signal(syscall.SIGSTOP); err != nil {
				t.Fatal(err)
			}
			testkit.Pass(lasts)
			ended := time.Now()
			if err := c.Process.Signal(syscall.SIGCONT); err != nil {
				t.Fatal(err)
			}
			r := c.next(ended, w.allowed())
			w.dials.dialled(r.dials, ended)
			w.judge("the process stopped", ended, r.at)
		})
	}
}
