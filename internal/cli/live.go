package cli

import (
	"fmt"
	"io"
	"strings"
	"time"
)

// Limits of what is shown while a command runs.
const (
	maxRegion = 12                     // lines: half of the smallest usual terminal
	minFrame  = 100 * time.Millisecond // at most ten pictures a second: calm, and enough to see time pass
	heartbeat = 5 * time.Second        // silence of a pipe is a bug
)

// View is what a command shows of itself while it runs.
type View interface {
	// Region returns the whole picture for a terminal, as styled lines.
	Region(width int) []string
	// Line returns the same in one line, for a log.
	Line() string
}

// Mode is how progress is shown.
type Mode int

// The ways to show progress.
const (
	ModeNone  Mode = iota // not at all
	ModePlain             // a line per phase, and a heartbeat
	ModeTTY               // a region that is redrawn
)

// Live shows progress: on a terminal a region of a few lines, redrawn in place
// and gone at the end; elsewhere a line per phase and a heartbeat. It starts
// no goroutine and knows no clock: whoever owns it calls Show often, with the
// time.
type Live struct {
	w     io.Writer
	mode  Mode
	size  func() (width, height int)
	began time.Time

	frame    []string // what stands on the terminal below the last permanent line
	lastDraw time.Time
	lastLine time.Time
}

// newLive returns a Live that writes to w. Size is asked before each picture,
// since people resize their windows.
func newLive(w io.Writer, mode Mode, size func() (width, height int), now time.Time) *Live {
	return &Live{w: w, mode: mode, size: size, began: now, lastLine: now}
}

// Phase says that something new begins or has ended: a permanent line where
// there is no terminal. On a terminal the region shows it.
func (l *Live) Phase(now time.Time, text string) {
	if l.mode == ModePlain {
		l.line(now, text)
	}
}

// Say prints a permanent line, on a terminal above the region.
func (l *Live) Say(now time.Time, text string) {
	switch l.mode {
	case ModePlain:
		l.line(now, text)
	case ModeTTY:
		l.paint(l.frame, text)
	}
}

// Show brings the picture up to date, as often as is calm.
func (l *Live) Show(now time.Time, view View) {
	switch {
	case l.mode == ModePlain && now.Sub(l.lastLine) >= heartbeat:
		l.line(now, view.Line())
	case l.mode == ModeTTY && now.Sub(l.lastDraw) >= minFrame:
		l.lastDraw = now
		width, height := l.size()
		l.paint(fit(view.Region(width-1), width-1, min(maxRegion, height-2)), "")
	}
}

// Close replaces the region by one permanent line.
func (l *Live) Close(now time.Time, summary string) {
	switch l.mode {
	case ModePlain:
		l.line(now, summary)
	case ModeTTY:
		l.paint(nil, summary)
	}
}

// Clear takes the region away, so that others may write.
func (l *Live) Clear() {
	if l.mode == ModeTTY {
		l.paint(nil, "")
	}
}

// line prints one line of a log: how long it has been, and the text.
func (l *Live) line(now time.Time, text string) {
	l.lastLine = now
	if text != "" {
		fmt.Fprintf(l.w, "%6s  %s\n", Tenths(now.Sub(l.began)), text)
	}
}

// paint replaces the region by frame, below a permanent line if there is one.
// It is a single write, so nothing flickers, and none if nothing changed.
func (l *Live) paint(frame []string, permanent string) {
	if permanent == "" && equal(frame, l.frame) {
		return
	}
	var b strings.Builder
	if n := len(l.frame); n > 0 {
		fmt.Fprintf(&b, "\x1b[%dA\r", n)
	}
	if permanent != "" {
		fmt.Fprintf(&b, "%s\x1b[K\n", permanent)
	}
	for _, line := range frame {
		fmt.Fprintf(&b, "%s\x1b[K\n", line)
	}
	if len(l.frame) > 0 {
		b.WriteString("\x1b[J")
	}
	l.frame = frame
	io.WriteString(l.w, b.String()) //nolint:errcheck // progress is nobody's answer
}

// fit cuts a picture to what the terminal holds.
func fit(lines []string, width, height int) []string {
	lines = lines[:max(0, min(len(lines), height))]
	cut := make([]string, len(lines))
	for i, line := range lines {
		cut[i] = Clip(line, width)
	}
	return cut
}

func equal(a, b []string) bool {
	if len(a) != len(b) {
		return false
	}
	for i := range a {
		if a[i] != b[i] {
			return false
		}
	}
	return true
}
