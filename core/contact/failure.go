package contact

// Failure says how one attempt to ask a contact ended without an answer. The
// zero Failure is no failure. Its words are the same in code, facts, metrics
// and on the command line.
type Failure uint8

// The kinds of failure, in the order in which an attempt can meet them.
const (
	None          Failure = iota
	NotSent               // our side could not even try: queue, limits, dial back-off; blames nobody
	Suspended             // the machine slept through it; blames nobody
	Cancelled             // the operation ended first; blames nobody
	NoAddress             // nothing is known that could be dialled
	Refused               // the dial was refused
	BlackHole             // the dial was never answered
	WrongPeer             // somebody else lives at the address
	MuteHandshake         // the connection's security handshake was never finished
	MuteIdentify          // the stream's protocol negotiation was never answered
	NoStream              // the connection gave no stream
	NoProtocol            // the peer does not speak this DHT
	ZeroWindow            // the request could not be written in time
	Silent                // the request was written and nothing came back
	Slow                  // an answer had begun when the deadline came
	Reset                 // the stream or connection was cut under the request
	Garbage               // what came back is not an answer
	Liar                  // what came back cannot be true
	failures
)

var failureWords = [failures]string{
	"ok", "not-sent", "suspended", "cancelled", "no-address", "refused", "black-hole", "wrong-peer",
	"mute-handshake", "mute-identify", "no-stream", "no-protocol", "zero-window", "silent", "slow",
	"reset", "garbage", "liar",
}

// String returns the word for the failure.
func (f Failure) String() string {
	if int(f) < len(failureWords) {
		return failureWords[f]
	}
	return "unknown"
}

// Blames reports whether the failure speaks against the contact, so that it
// may be remembered and the contact evicted. KAD-4.1.
func (f Failure) Blames() bool { return f > Cancelled }

// Refuses reports whether the failure may be how a peer declines what it is
// asked to store: the protocol has no words for that but to cut the stream.
func (f Failure) Refuses() bool { return f == Reset || f == NoStream || f == Garbage }

// RanOut reports whether the failure is that time ran out: with more of it the
// attempt could have ended otherwise.
func (f Failure) RanOut() bool {
	switch f {
	case BlackHole, MuteHandshake, MuteIdentify, NoStream, ZeroWindow, Silent, Slow:
		return true
	}
	return false
}

// Failures counts attempts by how they ended.
type Failures [failures]uint32

// Total returns the number of failed attempts, those of our own side included.
func (f *Failures) Total() (n int) {
	for kind, c := range f {
		if Failure(kind) != None {
			n += int(c)
		}
	}
	return n
}

// Words returns the counts that are not zero, by word.
func (f *Failures) Words() map[string]int {
	words := make(map[string]int)
	for kind, c := range f {
		if c > 0 && Failure(kind) != None {
			words[Failure(kind).String()] = int(c)
		}
	}
	return words
}
