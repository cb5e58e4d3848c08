package waymark

import (
	"log/slog"
	"sync"
)

// logs hands lines to the caller's logger on a goroutine of its own: a log
// handler is foreign code, which may block or call back, and the engine's
// goroutine may wait for nobody. Lines that find no room are counted.
type logs struct {
	lines chan logLine
	ended chan struct{}

	mu     sync.Mutex
	lost   int // since the last line
	closed bool
}

type logLine struct {
	text string
	args []any
}

// logRoom is far more lines than a healthy node writes in a minute.
const logRoom = 64

func newLogs(to *slog.Logger) *logs {
	l := &logs{lines: make(chan logLine, logRoom), ended: make(chan struct{})}
	go func() {
		defer close(l.ended)
		for line := range l.lines {
			to.Info(line.text, line.args...)
		}
	}()
	return l
}

// line writes one line, unless the node has ended.
func (l *logs) line(text string, args ...any) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	if l.lost > 0 {
		args = append(args, "lines_lost", l.lost)
	}
	select {
	case l.lines <- logLine{text, args}:
		l.lost = 0
	default:
		l.lost++
	}
}

// close ends the lines; ended is closed when the last one is written.
func (l *logs) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.closed = true
	close(l.lines)
}
