package engine

import (
	"time"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/key"
	"github.com/waymark-dht/waymark/core/mono"
	"github.com/waymark-dht/waymark/core/record"
)

// Ask says what a Send asks of a peer. The zero value asks for peers, which is
// what most requests do.
type Ask uint8

// What can be asked.
const (
	AskPeers     Ask = iota // FIND_NODE
	AskValue                // GET_VALUE
	AskProviders            // GET_PROVIDERS
	AskStore                // PUT_VALUE: the answer repeats the value
	// AskAnnounce is ADD_PROVIDER with ourselves as the provider. It has no
	// answer in the protocol, and a peer that refuses it resets the stream;
	// so FIND_NODE for our own ID follows on the same stream, and its answer
	// says that the record was taken.
	AskAnnounce
)

var askWords = [...]string{"find_node", "get_value", "get_providers", "put_value", "add_provider"}

// String returns the name of the request.
func (a Ask) String() string { return askWords[a] }

// Effect is something that must be carried out, without blocking the engine.
// Send, Resolve and Choose yield exactly one outcome event each, by their
// deadline, unless an Abort with their ID came first; a late or second one is
// ignored.
type Effect interface{ effect() }

type (
	// Send asks a peer one thing: dial if need be, open a stream, negotiate,
	// write, read, all of it by Deadline. The outcome is Answered or Failed.
	Send struct {
		Attempt  AttemptID
		To       *contact.Info
		Ask      Ask
		Key      []byte         // the key field of the request; not to be changed
		Target   key.Key        // its place in the key space; zero if the engine has not worked it out
		Record   *record.Record // AskStore only; not to be changed
		More     [][]byte       // AskAnnounce only: further keys, announced on the same stream
		Deadline mono.Time
		Seed     bool // a way back: dial past any back-off
		// Rest is how much of the time is left, at most, from when a connection is
		// open: as much as a request is given that need not dial, or as the
		// connection took, if that is more. Zero: all of it.
		Rest time.Duration
	}

	// Choose asks the validator of a key which of some valid values is the
	// best, by Deadline. The outcome is Chosen.
	Choose struct {
		Attempt  AttemptID
		Key      []byte
		Values   [][]byte
		Deadline mono.Time
	}

	// Resolve turns the name of a seed (a /dnsaddr or /dns multiaddr) into
	// contacts by Deadline. The outcome is Resolved.
	Resolve struct {
		Attempt  AttemptID
		Name     string
		Deadline mono.Time
	}

	// Abort withdraws a Send, Resolve or Choose: nobody waits for its outcome.
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
func (Choose) effect()  {}
func (Abort) effect()   {}
func (Hasten) effect()  {}
func (Publish) effect() {}
