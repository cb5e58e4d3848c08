package waymark

import (
	"context"
	"errors"
	"fmt"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/libp2p/go-libp2p/core/routing"

	"github.com/waymark-dht/waymark/core/params"
)

// The errors that a caller may meet. Each says what to do next; compare with
// errors.Is, since most are returned with evidence wrapped around them.
var (
	// ErrClosed: the node was closed. Make a new one.
	ErrClosed = errors.New("the node is closed; make a new one with New")

	// ErrNoPeers: nobody could be asked, or nobody answered. Bootstrap first,
	// give seeds, or look at Health for what was tried.
	ErrNoPeers = errors.New("no peer could be asked or none answered; check the network and Config.Seeds, then Bootstrap")

	// ErrDeadline: time ran out before there was any result. It is also a
	// context.DeadlineExceeded. Try again, or see Open for what is slow.
	ErrDeadline error = deadlineError{}

	// ErrNotFound: the network was asked and does not have it. It is
	// routing.ErrNotFound of go-libp2p.
	ErrNotFound = routing.ErrNotFound

	// ErrOverloaded: too many operations wait already. Wait for some of them.
	ErrOverloaded = errors.New("too many operations wait already; wait for some to end and try again")

	// ErrNotReady: the node has no useful table yet. The text around it has
	// the reasons; the node goes on trying.
	ErrNotReady = errors.New("the node is not ready; it goes on trying, see Health for the next step")

	// ErrBadConfig: a Config or an argument cannot be meant so. The text
	// around it says which and what would be right.
	ErrBadConfig = errors.New("bad configuration")

	// ErrNoAnswer: the peer that was pinged did not answer. The text around
	// it has the reason; try another of its addresses.
	ErrNoAnswer = errors.New("the peer did not answer; check that it is running and that its address is right")

	// ErrBadKey: a value's key is not of the form /namespace/name.
	ErrBadKey = errors.New("not the key of a value")

	// ErrNamespace: no validator is known for the key's namespace, so that
	// nobody could tell a value from a forged one. The text says which there
	// are.
	ErrNamespace = errors.New("no validator for namespace")

	// ErrInvalid: the key's validator does not accept the value.
	ErrInvalid = errors.New("the value is not valid under its key")

	// ErrOlder: a better value is stored here already.
	ErrOlder = errors.New("a better value is stored already")

	// ErrNotStored: peers were found, and none of them took the record. The
	// text says why they did not.
	ErrNotStored = errors.New("no peer took the record")

	// ErrLeftover: Close had to leave something behind that would not end,
	// such as a transport that ignores cancellation. Nothing can be done
	// about it but to end the process; the text around it says what it was.
	ErrLeftover = errors.New("something would not end when the node was closed")
)

// deadlineError is what ErrDeadline is, so that callers who only know package
// context recognise it.
type deadlineError struct{}

func (deadlineError) Error() string {
	return "time ran out before there was any result; try again, and see Open for what is slow"
}
func (deadlineError) Is(target error) bool { return target == context.DeadlineExceeded }
func (deadlineError) Timeout() bool        { return true }

// keyed returns nil for a key that others may be asked for.
func keyed(key []byte) error {
	if len(key) == 0 || len(key) > params.MaxKey {
		return badConfig("a key of %d bytes; from 1 to %d are possible", len(key), params.MaxKey)
	}
	return nil
}

// named returns nil for an ID that a peer may have.
func named(id peer.ID) error {
	if err := id.Validate(); err != nil {
		return badConfig("peer ID: %v", err)
	}
	if len(id) > params.MaxID {
		return badConfig("a peer ID of %d bytes; up to %d are possible", len(id), params.MaxID)
	}
	return nil
}

func badConfig(format string, args ...any) error {
	return fmt.Errorf("%w: %s", ErrBadConfig, fmt.Sprintf(format, args...))
}
