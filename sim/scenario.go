package sim

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"github.com/waymark-dht/waymark/core/params"
)

// Scenario is one story of a network, with what must hold in it.
type Scenario struct {
	Name  string
	About string
	Run   func(Options) (Result, error)
	Least int // members that must be alive, or what it states cannot hold
}

// aFew is how many have to be alive for a fault to leave anybody who can tell of
// it.
const aFew = 20

// Scenarios are all there are, the plainest first.
var Scenarios = []Scenario{
	{"lookups", "random lookups in a network of which a share is dead", Lookups, 1},
	{"bootstrap", "every node joins from nothing through a few seeds", Bootstrap, 1},
	{"join", "newcomers join, one by one, a network of which a share is dead", Join, 1},
	{"seeds-down", "every seed is down at first; all join within the way back", SeedsDown, aFew},
	{"mass-leave", "30 % of the network leave at once", MassLeave, aFew},
	{"all-seeds-dead", "the seeds die for good; nodes that restart remember others", AllSeedsDead, aFew},
	{"partition", "the network splits into two halves and heals", Partition, aFew},
	{"sleep", "a fifth of the nodes sleep for an hour, amid what they do", Sleep, aFew},
	{"flash-crowd", "as many again join within a minute", FlashCrowd, aFew},
	{"values", "values are found for a day while members come and go", Values, aFew},
	{"providers", "the same of provider records", Providers, aFew},
	{"sweep", "a node keeps 100 000 keys provided, region by region", Sweep, 1},
	{"churn", "members come and go in sessions of the measured lengths", Churn, aFew},
	{"sybil", "a fifth of the members answer and name only each other", Sybil, aFew},
	{"eclipse", "accomplices sit next to a key and name only each other", Eclipse, aFew},
	{"liveness", "one fault after another, then quiet: all is well again in time", Liveness, aFew},
	{"soak", "days of churn and outages: nothing grows, nobody hot-loops", Soak, aFew},
}

// ScenarioOf finds a scenario by its name.
func ScenarioOf(name string) (Scenario, bool) {
	i := slices.IndexFunc(Scenarios, func(s Scenario) bool { return s.Name == name })
	if i < 0 {
		return Scenario{}, false
	}
	return Scenarios[i], true
}

// ErrStopped is the end of a run that Building or Progress stopped.
var ErrStopped = errors.New("sim: stopped before its end")

// ErrNobody is the end of a run in which nobody healthy is left.
var ErrNobody = errors.New("sim: nobody healthy is left")

// Setting is an option that `--set NAME=VALUE` changes.
type Setting struct {
	Name, About string
	// value returns what the option is set to, empty for the default.
	value func(o *Options) string
	set   func(o *Options, text string) error
}

// Settings are all there are.
var Settings = []Setting{
	{"keys", "sweep: how many are provided", whole(func(o *Options) *int { return &o.Keys }), setWhole(func(o *Options) *int { return &o.Keys }, 1, params.ScheduleKeys)},
	{"lookups", "lookups that are counted", whole(func(o *Options) *int { return &o.Lookups }), setWhole(func(o *Options) *int { return &o.Lookups }, 1, 10_000_000)},
	{"seasoned", "lookups of each asker before the one that counts", whole(func(o *Options) *int { return &o.Seasoned }), setWhole(func(o *Options) *int { return &o.Seasoned }, 0, 1000)},
	{"paths", "disjoint paths of a lookup", whole(func(o *Options) *int { return &o.Engine.Paths }), setWhole(func(o *Options) *int { return &o.Engine.Paths }, 1, params.MaxPaths)},
	{"warm", "true: askers are connected to their tables", truth(func(o *Options) *bool { return &o.Warm }), setTruth(func(o *Options) *bool { return &o.Warm })},
	{"proximity", "true: big buckets hold the fastest", truth(func(o *Options) *bool { return &o.Proximity }), setTruth(func(o *Options) *bool { return &o.Proximity })},
	{"site", "true: all members are on one site", truth(func(o *Options) *bool { return &o.Site }), setTruth(func(o *Options) *bool { return &o.Site })},
	{"transport", "quic or tcp", transport, setTransport},
	{"duration", "how long the fault lasts, in virtual time", lasting(func(o *Options) *time.Duration { return &o.Duration }), setLasting(func(o *Options) *time.Duration { return &o.Duration })},
	{"policy", "lookups: by whose rules: waymark, go-like or rust-like", policy, setPolicy},
	{"k", "peers in a result", whole(func(o *Options) *int { return &o.K }), setWhole(func(o *Options) *int { return &o.K }, 1, params.MaxWanted)},
	{"alpha", "requests in flight of a lookup", whole(func(o *Options) *int { return &o.Alpha }), setWhole(func(o *Options) *int { return &o.Alpha }, 1, params.LookupSlots)},
	{"spare", "overdue ones beside them", none(func(o *Options) *int { return &o.Spare }), setNone(func(o *Options) *int { return &o.Spare }, params.LookupSlots)},
	{"last", "alpha in the last round", whole(func(o *Options) *int { return &o.Last }), setWhole(func(o *Options) *int { return &o.Last }, 1, params.LookupSlots)},
	{"last-spare", "spare in the last round", none(func(o *Options) *int { return &o.LastSpare }), setNone(func(o *Options) *int { return &o.LastSpare }, params.LookupSlots)},
	{"peers", "P: peers that a lookup contacts at most", whole(func(o *Options) *int { return &o.Peers }), setWhole(func(o *Options) *int { return &o.Peers }, 1, 10*params.MaxPeers)},
	{"depth", "H: how far from the seeds it goes", whole(func(o *Options) *int { return &o.Depth }), setWhole(func(o *Options) *int { return &o.Depth }, 1, 10*params.MaxDepth)},
	{"probes", "rounds of region probes", none(func(o *Options) *int { return &o.Probes }), setNone(func(o *Options) *int { return &o.Probes }, 10)},
	{"deadline", "D: after which a lookup ends with what it has", lasting(func(o *Options) *time.Duration { return &o.Deadline }), setLasting(func(o *Options) *time.Duration { return &o.Deadline })},
	{"bucket", "size of the first buckets: 20 is all alike", whole(func(o *Options) *int { return &o.Bucket }), setWhole(func(o *Options) *int { return &o.Bucket }, 1, 1000)},
	{"beta", "go-like: nearest peers that must have answered", whole(func(o *Options) *int { return &o.Rules.Beta }), setWhole(func(o *Options) *int { return &o.Rules.Beta }, 1, 100)},
	{"dial", "go-like: how long a dial may take", lasting(func(o *Options) *time.Duration { return &o.Rules.Dial }), setLasting(func(o *Options) *time.Duration { return &o.Rules.Dial })},
	{"request", "go-like, rust-like: how long a request may take", lasting(func(o *Options) *time.Duration { return &o.Rules.Request }), setLasting(func(o *Options) *time.Duration { return &o.Rules.Request })},
	{"liars", "sybil: percent of the members that lie", whole(func(o *Options) *int { return &o.Liars }), setWhole(func(o *Options) *int { return &o.Liars }, 1, 60)},
	{"near", "eclipse: accomplices next to the target", whole(func(o *Options) *int { return &o.Near }), setWhole(func(o *Options) *int { return &o.Near }, 1, 200)},
	{"again", "values, providers: the period of storing again, or off", again, setAgain},
	{"scale", "churn and longer: λ of the Weibull law of sessions", lasting(func(o *Options) *time.Duration { return &o.Scale }), setLasting(func(o *Options) *time.Duration { return &o.Scale })},
	{"shape", "churn and longer: 100 k of that law; 50 is the stress", whole(func(o *Options) *int { return &o.Shape }), setWhole(func(o *Options) *int { return &o.Shape }, 10, 500)},
	{"rest", "partition, liveness: time from fault to lookups", lasting(func(o *Options) *time.Duration { return &o.Rest }), setLasting(func(o *Options) *time.Duration { return &o.Rest })},
}

// Settings returns the settings that are set, each as NAME=VALUE.
func (o Options) Settings() (pairs []string) {
	for _, s := range Settings {
		if value := s.value(&o); value != "" {
			pairs = append(pairs, s.Name+"="+value)
		}
	}
	return pairs
}

// Set changes an option by its name.
func (o *Options) Set(name, text string) error {
	i := slices.IndexFunc(Settings, func(s Setting) bool { return s.Name == name })
	if i < 0 {
		return fmt.Errorf("there is no setting %q", name)
	}
	return Settings[i].set(o, text)
}

func whole(of func(*Options) *int) func(*Options) string {
	return func(o *Options) string {
		if *of(o) == 0 {
			return ""
		}
		return strconv.Itoa(*of(o))
	}
}

func setWhole(of func(*Options) *int, least, most int) func(*Options, string) error {
	return func(o *Options, text string) error {
		n, err := strconv.Atoi(text)
		if err != nil || n < least || n > most {
			return fmt.Errorf("it is a whole number from %d to %d", least, most)
		}
		*of(o) = n
		return nil
	}
}

// none is whole for a number that may be set to zero, which is -1 inside.
func none(of func(*Options) *int) func(*Options) string {
	return func(o *Options) string {
		if *of(o) < 0 {
			return "0"
		}
		return whole(of)(o)
	}
}

func setNone(of func(*Options) *int, most int) func(*Options, string) error {
	return func(o *Options, text string) error {
		err := setWhole(of, 0, most)(o, text)
		if err == nil && *of(o) == 0 {
			*of(o) = -1
		}
		return err
	}
}

func policy(o *Options) string {
	if o.Policy == Waymark {
		return ""
	}
	return o.Policy.String()
}

func setPolicy(o *Options, text string) error {
	i := slices.Index(Policies[:], text)
	if i < 0 {
		return errors.New("it is " + Policies[0] + ", " + Policies[1] + " or " + Policies[2])
	}
	o.Policy = Policy(i)
	return nil
}

func truth(of func(*Options) *bool) func(*Options) string {
	return func(o *Options) string {
		if !*of(o) {
			return ""
		}
		return "true"
	}
}

func setTruth(of func(*Options) *bool) func(*Options, string) error {
	return func(o *Options, text string) error {
		if text != "true" && text != "false" {
			return errors.New("it is true or false")
		}
		*of(o) = text == "true"
		return nil
	}
}

func transport(o *Options) string {
	if o.Transport == QUIC {
		return ""
	}
	return o.Transport.String()
}

func setTransport(o *Options, text string) error {
	for _, t := range []Transport{QUIC, TCP} {
		if text == t.String() {
			o.Transport = t
			return nil
		}
	}
	return errors.New("it is quic or tcp")
}

func lasting(of func(*Options) *time.Duration) func(*Options) string {
	return func(o *Options) string {
		if *of(o) == 0 {
			return ""
		}
		return of(o).String()
	}
}

func setLasting(of func(*Options) *time.Duration) func(*Options, string) error {
	return func(o *Options, text string) error {
		d, err := time.ParseDuration(text)
		if err != nil || d < time.Second || d > 30*24*time.Hour {
			return errors.New("it is a time from 1s to 720h, as in 90s or 5m")
		}
		*of(o) = d
		return nil
	}
}

func again(o *Options) string {
	if o.Again < 0 {
		return "off"
	}
	return lasting(func(o *Options) *time.Duration { return &o.Again })(o)
}

func setAgain(o *Options, text string) error {
	if text == "off" {
		o.Again = -1
		return nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d < time.Minute || d > 48*time.Hour {
		return errors.New("it is off, or a time from 1m to 48h")
	}
	o.Again = d
	return nil
}
