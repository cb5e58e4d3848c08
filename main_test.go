package waymark_test

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain sees that no test leaves a goroutine behind. A test may start this
// program once more, to be a node in a process of its own.
func TestMain(m *testing.M) {
	if seeds := os.Getenv(childSeeds); seeds != "" {
		os.Exit(live(seeds))
	}
	goleak.VerifyTestMain(m)
}
