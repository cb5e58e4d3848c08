package main

import (
	"time"

	"github.com/prometheus/procfs"
)

// spent is what a process has used until now; nothing where the machine does
// not say.
type spent struct {
	cpu  time.Duration
	peak float64 // MiB of memory at the most
}

// spentBy reads it from /proc. What a process leaves to who waits for its end
// would not do: there the peak counts the program that started it.
func spentBy(pid int) (s spent) {
	p, err := procfs.NewProc(pid)
	if err != nil {
		return s
	}
	if stat, err := p.Stat(); err == nil {
		s.cpu = time.Duration(stat.CPUTime() * float64(time.Second))
	}
	if status, err := p.NewStatus(); err == nil {
		s.peak = float64(status.VmHWM) / (1 << 20)
	}
	return s
}
