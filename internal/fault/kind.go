package fault

import (
	"fmt"
	"slices"
	"strings"

	"github.com/waymark-dht/waymark/core/contact"
)

// Kind is one way in which a peer misbehaves. The zero Kind does not.
type Kind uint8

// The kinds, in the order in which a client would meet them.
const (
	Honest        Kind = iota // answers
	Refused                   // nothing listens at its address
	BlackHole                 // nothing answers at its address
	WrongPeer                 // somebody else lives at its address
	MuteHandshake             // accepts the connection and never answers in the security handshake
	MuteIdentify              // connects, and never answers on any stream: no negotiation, no identify
	NoStream                  // connects, and gives no stream: refused over TCP, no credit over QUIC
	NoProtocol                // a host that does not speak the protocol
	ZeroWindow                // negotiates the protocol and never reads
	Silent                    // reads the request and never answers
	Frozen                    // the wire falls silent under the request, both ways, without a FIN
	Slow                      // answers one byte per 100 ms
	Cut                       // the TCP connection ends inside the answer's frame
	Hangup                    // closes the connection when it has read the request
	Reset                     // resets the stream within the answer
	Garbage                   // answers with bytes that are no message
	Oversize                  // announces 2 GiB and then sends one byte per 100 ms
	Liar                      // answers with twenty made-up peers near the target
	kinds
)

// trait is a kind's word, what a client of it should report, and whether it
// exists over QUIC.
type trait struct {
	word    string
	failure contact.Failure
	quic    bool
}

var traits = [kinds]trait{
	Honest:        {"honest", contact.None, true},
	Refused:       {"refused", contact.Refused, false}, // QUIC does not heed what ICMP says
	BlackHole:     {"black-hole", contact.BlackHole, true},
	WrongPeer:     {"wrong-peer", contact.WrongPeer, true},
	MuteHandshake: {"mute-handshake", contact.MuteHandshake, false}, // over QUIC, that is a black hole
	MuteIdentify:  {"mute-identify", contact.MuteIdentify, true},
	NoStream:      {"no-stream", contact.NoStream, true},
	NoProtocol:    {"no-protocol", contact.NoProtocol, true},
	ZeroWindow:    {"zero-window", contact.Silent, true}, // a FIND_NODE still fits what the kernel and the muxer buffer
	Silent:        {"silent", contact.Silent, true},
	Frozen:        {"frozen", contact.Silent, false},
	Slow:          {"slow", contact.Slow, true},
	Cut:           {"cut", contact.Reset, false},
	Hangup:        {"hangup", contact.Reset, true},
	Reset:         {"reset", contact.Reset, true},
	Garbage:       {"garbage", contact.Garbage, true},
	Oversize:      {"oversize", contact.Garbage, true},
	Liar:          {"liar", contact.None, true}, // it does answer; who believes it finds refused ports
}

// String returns the word for the kind, which is that of contact.Failure
// where there is one.
func (k Kind) String() string {
	if k < kinds {
		return traits[k].word
	}
	return "unknown"
}

// Failure returns how one FIND_NODE to such a peer should be reported.
func (k Kind) Failure() contact.Failure { return traits[k].failure }

// QUIC reports whether the kind exists over QUIC too; all exist over TCP.
func (k Kind) QUIC() bool { return traits[k].quic }

// Kinds returns every kind but Honest.
func Kinds() (all []Kind) {
	for k := Honest + 1; k < kinds; k++ {
		all = append(all, k)
	}
	return all
}

// ParseKind returns the kind that a word means.
func ParseKind(word string) (Kind, error) {
	i := slices.IndexFunc(traits[:], func(t trait) bool { return t.word == word })
	if i < 0 {
		return 0, fmt.Errorf("fault: no kind of fault is called %q", word)
	}
	return Kind(i), nil
}

// issue are the faults that the acceptance of the first release names.
var issue = []Kind{
	Refused, BlackHole, Silent, Slow, Reset, Hangup, Liar, MuteHandshake, MuteIdentify, NoStream, ZeroWindow, Cut,
}

// ParseKinds returns the kinds that words mean, by commas: "issue" are the
// twelve that the acceptance names, "all" are all.
func ParseKinds(list string) (kinds []Kind, err error) {
	for word := range strings.SplitSeq(list, ",") {
		switch word {
		case "all":
			kinds = append(kinds, Kinds()...)
		case "issue":
			kinds = append(kinds, issue...)
		default:
			k, err := ParseKind(word)
			if err != nil {
				return nil, fmt.Errorf("%w; there are honest, %s", err, Words(Kinds()))
			}
			kinds = append(kinds, k)
		}
	}
	return kinds, nil
}

// Words returns what kinds are called, by commas.
func Words(kinds []Kind) string {
	all := make([]string, len(kinds))
	for i, k := range kinds {
		all[i] = k.String()
	}
	return strings.Join(all, ", ")
}
