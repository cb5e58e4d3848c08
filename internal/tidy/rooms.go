package tidy

import (
	"slices"
	"strings"
)

// Room is one package, or a family of them, and what it may import. The
// standard library is open to every room; what the ground floor may not take
// from it stands in ground.go.
type Room struct {
	Path   string   // a folder, or "folder/*" for each folder below it
	Uses   []string // rooms of the house, in the same form
	Others []string // other people's packages, with what lies below them
	Tests  []string // rooms that the tests of the ground floor may use beside it
}

// What several rooms take from other people.
var (
	libp2p = []string{
		"github.com/libp2p/go-libp2p", "github.com/multiformats", "github.com/ipfs/go-cid",
	}
	protowire  = []string{"google.golang.org/protobuf/encoding/protowire"}
	boxo       = []string{"github.com/ipfs/boxo", "github.com/ipfs/go-cid", "github.com/libp2p/go-libp2p/core"}
	telemetry  = []string{"github.com/prometheus/client_golang", "go.opentelemetry.io/otel"}
	commandUse = []string{
		"github.com/spf13/cobra", "github.com/spf13/pflag", "github.com/BurntSushi/toml",
		"github.com/coreos/go-systemd", "charm.land", "golang.org/x/term",
	}
	// testOnly may be imported by tests and by the rooms that exist for tests.
	testOnly = []string{
		"pgregory.net/rapid", "go.uber.org/goleak", "github.com/google/go-cmp",
		"github.com/cockroachdb/datadriven", "github.com/rogpeppe/go-internal",
		"google.golang.org/protobuf", // the judge of core/wire
		"golang.org/x/net/dns",       // a spy on local networks
	}
)

// Rooms is the import map: the tree of docs/ARCHITECTURE.md with its right
// column. The first line that fits a folder holds.
var Rooms = []Room{
	// The front door.
	{Path: ".", Uses: []string{"core/*", "store", "store/memory"}, Others: slices.Concat(libp2p, []string{"github.com/libp2p/go-libp2p-record"})},

	// The ground floor.
	{Path: "core/params"},
	{Path: "core/mono"},
	{Path: "core/key"},
	{Path: "core/contact", Uses: []string{"core/key", "core/params"}},
	{Path: "core/record", Uses: []string{"core/key", "core/contact", "core/mono", "core/params"}},
	{Path: "core/wire", Uses: []string{"core/contact", "core/record", "core/params"}, Others: protowire},
	{Path: "core/table", Uses: []string{"core/key", "core/contact", "core/mono", "core/params"}},
	{Path: "core/lookup", Uses: []string{"core/key", "core/contact", "core/mono", "core/params"}},
	{Path: "core/siege", Uses: []string{"core/params"}},
	{Path: "core/boot", Uses: []string{"core/key", "core/contact", "core/mono", "core/params"}},
	{Path: "core/republish", Uses: []string{"core/key", "core/contact", "core/mono", "core/params", "core/siege"}},
	{Path: "core/replicate", Uses: []string{"core/mono", "core/params"}},
	{Path: "core/server", Uses: []string{
		"core/key", "core/contact", "core/mono", "core/record", "core/table", "core/wire", "core/params",
	}},
	{Path: "core/engine", Uses: []string{"core/*"}},

	// The other world, under the rules of the ground floor.
	{Path: "sim", Uses: []string{"core/*"}, Tests: []string{"internal/bigpages"}},

	// The first floor.
	{Path: "store", Uses: []string{"core/*"}},
	{Path: "store/lsm", Uses: []string{"core/*", "store", "store/memory"}, Others: []string{"github.com/cockroachdb/pebble"}},
	{Path: "store/datastore", Uses: []string{"core/*", "store", "store/memory"}, Others: []string{"github.com/ipfs/go-datastore"}},
	{Path: "store/*", Uses: []string{"core/*", "store"}},
	{Path: "validate/ipns", Uses: []string{"."}, Others: boxo},
	{Path: "validate/unsigned"},
	{Path: "compat", Uses: []string{".", "core/*", "store/datastore", "validate/ipns"}, Others: slices.Concat(libp2p, []string{
		"github.com/libp2p/go-libp2p-record", "github.com/ipfs/go-datastore",
	})},
	{Path: "compat/*", Uses: []string{".", "compat", "compat/*", "core/*", "dual", "fulltable"}, Others: slices.Concat(libp2p, []string{
		"github.com/ipfs/go-datastore",
	})},
	{Path: "dual", Uses: []string{".", "core/engine", "core/params"}, Others: libp2p},
	{Path: "crawl", Uses: []string{"core/*"}},
	{Path: "fulltable", Uses: []string{".", "core/*", "crawl"}, Others: libp2p},
	{Path: "lan", Uses: []string{"core/params"}, Others: slices.Concat(libp2p, []string{"github.com/libp2p/zeroconf"})},
	{Path: "delegated", Uses: []string{".", "core/engine", "core/params"}, Others: slices.Concat(libp2p, boxo, telemetry)},
	{Path: "telemetry", Uses: []string{".", "core/*"}, Others: telemetry},
	{Path: "dashboard", Uses: []string{".", "core/*"}},
	{Path: "bench", Uses: []string{".", "core/*", "sim", "internal/*"}, Others: libp2p},

	// The roof knows everything.
	{
		Path:   "cmd/waymark",
		Uses:   []string{".", "core/*", "store/*", "validate/*", "crawl", "fulltable", "delegated", "telemetry", "dashboard", "sim", "internal/bigpages", "internal/cli", "internal/conform", "internal/devnet", "internal/fault"},
		Others: slices.Concat(libp2p, commandUse, telemetry),
	},

	// What the house needs and nobody outside may import.
	{Path: "internal/tidy"},
	{Path: ".ci"},
	{Path: "internal/bigpages"},
	{Path: "internal/mutate", Uses: []string{"core/*", "sim"}},
	{Path: "internal/cli", Others: []string{"golang.org/x/term"}},
	{Path: "internal/fault", Uses: []string{"core/*"}, Others: slices.Concat(libp2p, []string{
		"github.com/libp2p/go-yamux", "github.com/quic-go/quic-go", // to misbehave below the streams
	})},
	{Path: "internal/drive"},
	{Path: "internal/golden", Others: []string{"github.com/google/go-cmp"}},
	{Path: "internal/conform", Uses: []string{"core/*", "internal/drive", "internal/fault"}, Others: slices.Concat(libp2p, boxo, protowire)},
	{Path: "internal/devnet", Uses: []string{".", "core/*", "internal/fault"}, Others: libp2p},
	{Path: "internal/testkit", Uses: []string{".", "core/*", "lan", "internal/devnet", "internal/fault"}, Others: slices.Concat(libp2p, testOnly, []string{"github.com/ipfs/go-datastore"})},
}

// roomOf returns the line of the map for a folder.
func roomOf(folder string) (Room, bool) {
	i := slices.IndexFunc(Rooms, func(r Room) bool { return fits(r.Path, folder) })
	if i < 0 {
		return Room{}, false
	}
	return Rooms[i], true
}

// fits reports whether a folder is meant by a pattern of the map.
func fits(pattern, folder string) bool {
	if family, ok := strings.CutSuffix(pattern, "/*"); ok {
		return strings.HasPrefix(folder, family+"/")
	}
	return folder == pattern
}

// onGroundFloor reports whether a folder lives by the rules of the ground floor.
func onGroundFloor(folder string) bool {
	return fits("core/*", folder) || folder == "sim" || fits("sim/*", folder)
}
