package memory_test

import (
	"testing"

	"github.com/waymark-dht/waymark/store"
	"github.com/waymark-dht/waymark/store/memory"
	"github.com/waymark-dht/waymark/store/storetest"
)

func TestMemory(t *testing.T) {
	storetest.Run(t, storetest.Engine{Open: func(_ testing.TB, limits store.Limits) store.Store {
		return memory.New(memory.Config{Limits: limits})
	}})
}
