package fulltable_test

import (
	"testing"

	ma "github.com/multiformats/go-multiaddr"
	"go.uber.org/goleak"
)

type maddr = ma.Multiaddr

// TestMain sees that no test leaves a goroutine behind.
func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }
