package waymark

import (
	"log/slog"
	"sync"
	"testing"
)

// Whoever still works when the node has ended, because its disk blocks, may
// have something to say; and many may at once.
func TestLinesAfterTheEndAreNobodys(t *testing.T) {
	l := newLogs(slog.New(slog.DiscardHandler))
	var all sync.WaitGroup
	for range 8 {
		all.Go(func() {
			for range 1000 {
				l.line("a line")
			}
		})
	}
	l.close()
	all.Wait()
	<-l.ended
}
