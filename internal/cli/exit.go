package cli

// The exit codes of every command but `waymark check`.
const (
	ExitOK          = 0
	ExitFailed      = 1   // other failure
	ExitUsage       = 2   // nothing was sent
	ExitNotFound    = 3   // the lookup converged, and there is no such thing
	ExitDeadline    = 4   // time ran out; partial results were printed
	ExitNoPeers     = 5   // stalled, or no usable peers: the network was never reached
	ExitDaemon      = 6   // kept for a daemon that is not reachable, or refuses
	ExitBadRecord   = 7   // a record is invalid
	ExitInterrupted = 130 // ^C
	ExitTerminated  = 143 // SIGTERM
)

// ExitCodes is the table of exit codes for people, in order.
var ExitCodes = []struct {
	Code    int
	Meaning string
}{
	{ExitOK, "answered"},
	{ExitFailed, "other failure"},
	{ExitUsage, "usage error; nothing was sent"},
	{ExitNotFound, "not found: the lookup converged on its absence"},
	{ExitDeadline, "deadline: time ran out; partial results were printed"},
	{ExitNoPeers, "no usable peers: the network was never reached"},
	{ExitDaemon, "kept for the daemon, which is not there yet"},
	{ExitBadRecord, "record invalid"},
	{ExitInterrupted, "interrupted (143: terminated)"},
}

var outcomeExits = map[string]int{
	"converged": ExitOK, "found": ExitOK, "stored": ExitOK, "ready": ExitOK, "degraded": ExitOK, "ok": ExitOK,
	"not-found": ExitNotFound, "partial-deadline": ExitDeadline,
	"stalled": ExitNoPeers, "no-peers": ExitNoPeers,
	"rejected": ExitBadRecord, "cancelled": ExitInterrupted,
}

// ExitOf returns the exit code for an outcome's word.
func ExitOf(outcome string) int {
	if code, known := outcomeExits[outcome]; known {
		return code
	}
	return ExitFailed
}
