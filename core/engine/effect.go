package engine

import (
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/mono"
)

// Effect is something that must be carried out, without blocking the engine.
// Send and Resolve yield exactly one outcome event each, by their deadline,
// unless an Abort with their ID came first; a late or second one is ignored.
type Effect interface{ effect() }

type (
	// Send asks a peer FIND_NODE: dial if need be, open a stream, negotiate,
	// write, read, all of it by Deadline. The outcome is Answered or Failed.
	Send struct {
		Attempt  AttemptID
		To       *contact.Info
		Key      []byte // the key field of FIND_NODE; not to be changed
		Deadline mono.Time
		Seed     bool // a way back: dial past any back-off
	}

	// Resolve turns the name of a seed (a /dnsaddr or /dns multiaddr) into
	// contacts by Deadline. The outcome is Resolved.
	Resolve struct {
		Attempt  AttemptID
		Name     string
		Deadline mono.Time
	}

	// Abort withdraws a Send or Resolve: nobody waits for its outcome.
	Abort struct{ Attempt AttemptID }

	// Hasten moves the Deadline of a Send forward: its outcome is wanted sooner.
	// Who cannot carry it out may ignore it.
	Hasten struct {
		Attempt  AttemptID
		Deadline mono.Time
	}

	// Publish says that the table changed: take a new Snapshot for the server.
	Publish struct{}
)

func (Send) effect()    {}
func (Resolve) effect() {}
func (Abort) effect()   {}
func (Hasten) effect()  {}
func (Publish) effect() {}
