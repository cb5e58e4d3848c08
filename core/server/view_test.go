package server_test

import (
	"github.com/waymark-dht/waymark/core/server"
	"github.com/waymark-dht/waymark/core/table"
)

// What the engine publishes is what the server reads.
var _ server.View = (*table.Snapshot)(nil)
