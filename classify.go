package waymark

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"syscall"

	"github.com/libp2p/go-libp2p/core/network"
	"github.com/libp2p/go-libp2p/core/sec"
	"github.com/libp2p/go-libp2p/p2p/net/swarm"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/wire"
)

// phase is how far an attempt got: what its peer failed to do when time runs
// out is what comes next.
type phase int32

const (
	queued    phase = iota
	preparing       // what the host has of the peer is looked up and written
	dialling
	opening
	writing
	negotiating
	waiting // for the first byte of the answer
	reading
	checking // by the owner's hooks and validators
)

func (a *attempt) enter(p phase) { a.phase.Store(int32(p)) }
func (a *attempt) at() phase     { return phase(a.phase.Load()) }

// The errors that this package finds in what a peer sends.
var (
	errGarbage    = errors.New("not an answer of this protocol")
	errBudget     = errors.New("enough dials to this neighbourhood for now")
	errNoProtocol = errors.New("the peer does not speak this protocol")
)

// overdue says, for each phase, what it means that time ran out in it.
var overdue = map[phase]struct {
	failure contact.Failure
	detail  string
}{
	queued:      {contact.NotSent, "no time was left to begin"},
	preparing:   {contact.NotSent, "the host's peerstore did not return in time"},
	dialling:    {contact.BlackHole, "the dial was not answered in time"},
	opening:     {contact.NoStream, "the connection gave no stream in time"},
	writing:     {contact.ZeroWindow, "the request could not be written in time"},
	negotiating: {contact.MuteIdentify, "the protocol negotiation was not answered in time"},
	waiting:     {contact.Silent, "the request was not answered in time"},
	reading:     {contact.Slow, "the answer was not complete in time"},
	checking:    {contact.NotSent, "a validator or hook of this node did not return in time"},
}

// timedOut returns what it means that time ran out now.
func (a *attempt) timedOut(watch *DialWatch) (contact.Failure, string) {
	if a.name != "" {
		return contact.NoAddress, "the name was not resolved in time"
	}
	if a.at() == dialling && watch.reached(a.to.Addrs, a.began) {
		return contact.MuteHandshake, "the connection was accepted, and the handshake not answered in time"
	}
	o := overdue[a.at()]
	return o.failure, o.detail
}

// verdict returns what the error that ended an attempt means.
func (a *attempt) verdict(err error, watch *DialWatch) (contact.Failure, string) {
	switch {
	case errors.Is(a.ctx.Err(), context.Canceled):
		return contact.Cancelled, "nobody waits for it any longer"
	case a.ctx.Err() != nil:
		return a.timedOut(watch)
	case a.at() == dialling:
		return dialFailure(err), oneLine(err)
	case isTimeout(err): // a limit within libp2p that is shorter than ours
		f, _ := a.timedOut(watch)
		return f, oneLine(err)
	case errors.Is(err, network.ErrResourceLimitExceeded):
		return contact.NotSent, oneLine(err)
	case errors.Is(err, errNoProtocol), isRefusal(err):
		return contact.NoProtocol, oneLine(err)
	case isGarbage(err):
		return contact.Garbage, oneLine(err)
	case a.at() <= negotiating && isRemoteReset(err):
		// As a muxer does with streams beyond its limit, be it before or after
		// we wrote. A kept stream that is cut while we write is no verdict: the
		// request is made again on a fresh one.
		return contact.NoStream, oneLine(err)
	}
	return contact.Reset, oneLine(err)
}

// isRefusal reports whether the peer's host gave the stream up over its
// protocol. It says so in words first, but a reset overtakes words.
func isRefusal(err error) bool {
	var reset *network.StreamError
	return errors.As(err, &reset) && reset.Remote && reset.ErrorCode == network.StreamProtocolNegotiationFailed
}

// isRemoteReset reports whether the peer cut the stream, and it alone.
func isRemoteReset(err error) bool {
	var reset *network.StreamError
	return errors.As(err, &reset) && reset.Remote
}

func isGarbage(err error) bool {
	for _, kind := range []error{
		errGarbage, wire.ErrMalformed, wire.ErrType, wire.ErrKey, wire.ErrTooLong, wire.ErrPrefix,
	} {
		if errors.Is(err, kind) {
			return true
		}
	}
	return false
}

func isTimeout(err error) bool {
	var t net.Error
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) ||
		errors.As(err, &t) && t.Timeout()
}

// dialFailure returns the most telling of a dial's failures, one for each
// address: somebody answering there tells more than nobody, and our own side
// is to blame only if no address was tried at all.
func dialFailure(err error) contact.Failure {
	var all *swarm.DialError
	if !errors.As(err, &all) || len(all.DialErrors) == 0 {
		return addrFailure(err)
	}
	worst := contact.NotSent
	for _, e := range all.DialErrors {
		if f := addrFailure(e.Cause); telling[f] > telling[worst] {
			worst = f
		}
	}
	return worst
}

// telling ranks what a dial to one address can end in.
var telling = map[contact.Failure]int{
	contact.NotSent: 1, contact.NoAddress: 2, contact.BlackHole: 3, contact.Refused: 4,
	contact.Reset: 5, contact.MuteHandshake: 6, contact.WrongPeer: 7,
}

// addrFailure returns what the error of a dial to one address means.
func addrFailure(err error) contact.Failure {
	var mismatch sec.ErrPeerIDMismatch
	handshake := strings.Contains(err.Error(), "negotiate")
	switch {
	case errors.As(err, &mismatch), strings.Contains(err.Error(), "peer id mismatch"),
		strings.Contains(err.Error(), "peer IDs don't match"): // QUIC loses the type
		return contact.WrongPeer
	case errors.Is(err, syscall.ECONNREFUSED):
		return contact.Refused
	case errors.Is(err, swarm.ErrNoAddresses), errors.Is(err, swarm.ErrNoTransport),
		errors.Is(err, swarm.ErrDialToSelf):
		return contact.NoAddress
	case errors.Is(err, swarm.ErrDialBackoff), errors.Is(err, swarm.ErrDialRefusedBlackHole),
		errors.Is(err, swarm.ErrGaterDisallowedConnection), errors.Is(err, swarm.ErrSwarmClosed),
		errors.Is(err, network.ErrResourceLimitExceeded), errors.Is(err, errBudget), isOurLimit(err):
		return contact.NotSent
	case errors.Is(err, swarm.ErrNoGoodAddresses):
		return contact.NoAddress
	case isTimeout(err) && handshake:
		return contact.MuteHandshake
	case isTimeout(err), errors.Is(err, syscall.EHOSTUNREACH):
		return contact.BlackHole
	}
	return contact.Reset
}

// ourLimits are what the resource manager of go-libp2p says when it is the
// connections of an IP network that are too many or come too fast: words alone.
var ourLimits = []string{"rate limit exceeded", "connections per ip limit exceeded"}

// isOurLimit reports whether the machine ran out of something, a way out
// included, or this host allows no more.
func isOurLimit(err error) bool {
	for _, words := range ourLimits {
		if strings.HasPrefix(err.Error(), words) {
			return true
		}
	}
	for _, limit := range []error{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.EADDRNOTAVAIL, syscall.ENETUNREACH, syscall.ENETDOWN,
	} {
		if errors.Is(err, limit) {
			return true
		}
	}
	return false
}

// oneLine returns the error's text, fit for one line of a report.
func oneLine(err error) string {
	text := strings.Join(strings.Fields(err.Error()), " ")
	if len(text) > params.MaxDetail {
		text = fmt.Sprintf("%s…", strings.ToValidUTF8(text[:params.MaxDetail], ""))
	}
	return text
}
