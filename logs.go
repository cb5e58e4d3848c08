package waymark

import "log/slog"

// logs hands lines to the caller's logger on a goroutine of its own: a log
// handler is foreign code, which may block or call back, and the engine's
// goroutine may wait for nobody. Lines that find no room are counted.
type logs struct {
	lines chan logLine
	ended chan struct{}
	lost  int // since the last line; the engine's goroutine is the only writer
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

// line writes one line. Only the engine's goroutine may call it.
func (l *logs) line(text string, args ...any) {
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

// close is for the engine's goroutine too; the channel it returns is closed
// when the last line is written.
func (l *logs) close() { close(l.lines) }
