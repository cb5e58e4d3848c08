// Package wire is the codec of /ipfs/kad/1.0.0: bytes to Message and back, every limit checked first.
//
// It may not know what a message is for, who sent it or what is inside a
// multiaddr; it touches no network and starts no goroutine.
// Start reading at [Message], then [Decode] and [AppendFrame].
package wire

import (
	"errors"
	"fmt"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// Message is one request or answer. KAD-9.1.
//
// The protocol's cluster level is missing on purpose: it is always sent as
// one and nobody reads it.
type Message struct {
	Type      Type
	Key       []byte
	Record    *record.Record
	Closer    []Peer // peers nearer to the key
	Providers []Peer // peers that provide the key
}

// Peer is one entry of a message's lists.
type Peer struct {
	Contact    *contact.Info
	Connection Connection
}

// Type says what a message asks or answers. It is as wide as the protocol's
// enumeration, so that no unknown value is mistaken for a known one.
type Type int32

// The types of message. PutValue is zero, so a message without a type is one.
const (
	PutValue Type = iota
	GetValue
	AddProvider
	GetProviders
	FindNode
	Ping
	types
)

var typeWords = [types]string{
	"PUT_VALUE", "GET_VALUE", "ADD_PROVIDER", "GET_PROVIDERS", "FIND_NODE", "PING",
}

// String returns the type's name in the protocol.
func (t Type) String() string {
	if t.known() {
		return typeWords[t]
	}
	return fmt.Sprintf("TYPE_%d", int32(t))
}

func (t Type) known() bool { return t >= 0 && t < types }

// Connection says how the sender is connected to a peer that it names.
// Deployed implementations send only the first two and ignore all.
type Connection uint8

// The kinds of connection.
const (
	NotConnected Connection = iota
	Connected
	CanConnect
	CannotConnect
	connections
)

// Limits say how much of one message is read. KAD-9.2.
type Limits struct {
	Bytes     int // the longest message that is looked at
	Put       int // the longest PUT_VALUE, if that may be longer
	Closer    int // how many peers of each list are kept; the rest is skipped
	Providers int
}

// RequestLimits hold for what strangers ask: nearer peers are no part of any request.
func RequestLimits() Limits {
	return Limits{Bytes: params.MaxRequest, Put: params.MaxPut, Providers: params.MaxPeersRead}
}

// AnswerLimits hold for answers to FIND_NODE and PING.
func AnswerLimits() Limits {
	return Limits{Bytes: params.MaxAnswer, Closer: params.MaxPeersRead}
}

// RecordLimits hold for answers to the other types, which carry records or providers.
func RecordLimits() Limits {
	return Limits{Bytes: params.MaxMessage, Closer: params.MaxPeersRead, Providers: params.MaxPeersRead}
}

// What is wrong with bytes that are not a message. Whoever meets one of these
// resets the stream: the protocol has no error message.
var (
	ErrMalformed = errors.New("wire: not a message of this protocol")
	ErrType      = errors.New("wire: unknown message type")
	ErrKey       = errors.New("wire: key is too long")
	ErrTooLong   = errors.New("wire: message is too long")
	ErrPrefix    = errors.New("wire: length prefix is not a minimal varint")
)

// The kinds of ErrMalformed.
var (
	errField = fmt.Errorf("%w: a field is cut short or has no valid tag", ErrMalformed)
	errGroup = fmt.Errorf("%w: it holds a group", ErrMalformed)
	errText  = fmt.Errorf("%w: a text is not UTF-8", ErrMalformed)
)
