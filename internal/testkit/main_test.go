package testkit

import (
	"os"
	"testing"

	"go.uber.org/goleak"
)

// TestMain makes this program a node, a cable or a spy, if a test has begun it as such.
func TestMain(m *testing.M) {
	Main()
	if family := os.Getenv(spyEnvironment); family != "" {
		os.Exit(spy(family))
	}
	code := m.Run()
	if err := goleak.Find(); err != nil {
		println("left over:", err.Error())
		code = 1
	}
	os.Exit(code)
}
