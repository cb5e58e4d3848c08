package main

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/libp2p/go-libp2p/core/host"
	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/crawl"
	"github.com/waymark-dht/waymark/fulltable"
	"github.com/waymark-dht/waymark/internal/cli"
)

// Measures of what a crawl shows.
const (
	crawlSamples = 3           // ended visits before the time that is left is guessed
	crawlEvery   = time.Second // between two events of progress
	agentsShown  = 4
)

// crawlFlags say how far a crawl goes and what is kept of it.
type crawlFlags struct {
	nodeFlags
	limit     int
	neighbors bool
	dir       string
	resume    bool
}

// crawl walks a whole network.
func (a *app) crawl() *cobra.Command {
	var flags crawlFlags
	cmd := &cobra.Command{
		Use: "crawl", Short: "everybody in a network, and who knows whom", GroupID: "ask", Args: wantArgs(0, 0),
		Long: "waymark crawl: everybody in a network, and who knows whom\n\n" +
			"A temporary node joins the network and asks every peer that anybody names for\n" +
			"its whole routing table. With -o the peers go to peers.ndjson in a folder, and\n" +
			"with --neighbors whom each of them knows to edges.ndjson.",
		Example: "  waymark crawl --network dev\n  waymark crawl --network amino --neighbors -o crawl",
		RunE: func(cmd *cobra.Command, _ []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runCrawl(ctx, out, &flags)
			})
		},
	}
	flags.add(cmd.Flags(), true)
	number(cmd.Flags(), &flags.limit, "limit", params.CrawlPeers, 1, params.CrawlPeers, "visit so many peers at most")
	cmd.Flags().BoolVar(&flags.neighbors, "neighbors", false, "keep whom each peer knows")
	cmd.Flags().StringVarP(&flags.dir, "output", "o", "", "a `FOLDER` for peers.ndjson and edges.ndjson")
	cmd.Flags().BoolVar(&flags.resume, "resume", false, "go on with the crawl that is in the folder")
	return cmd
}

// crawlLine is what the result line says of a crawl.
type crawlLine struct {
	Why      string         `json:"why"`
	Found    int            `json:"found"`
	Answered int            `json:"answered"`
	Failed   int            `json:"failed"`
	Left     int            `json:"left"`
	Dropped  int            `json:"dropped"`
	Liars    int            `json:"liars"`
	Failures map[string]int `json:"failures"`
	Agents   map[string]int `json:"agents"`
	Files    []string       `json:"files"`
	Elapsed  float64        `json:"elapsed_ms"`
	Bound    float64        `json:"bound_ms"`
	Overdue  int64          `json:"overdue"`
}

func runCrawl(ctx context.Context, out *cli.Out, flags *crawlFlags) (end ending, err error) {
	folder, err := openFolder(flags.dir, flags.neighbors, flags.resume)
	if err != nil {
		return end, err
	}
	v, err := enter(ctx, out, &flags.nodeFlags, "waymark crawl --network dev")
	if err != nil {
		return end, err
	}
	defer v.Close()
	v.watch.Close() // a crawl shows its own progress
	s := newSurvey(out, v.temp.host)
	cfg := crawl.Config{Peers: flags.limit, Edges: flags.neighbors, Heard: s.heard}
	walk, err := fulltable.Begin(v.dht, cfg, folder.left)
	if err != nil {
		return end, err
	}
	for _, p := range folder.done {
		walk.Done(p)
		if p.Answered {
			s.count(p.Info.ID, folder.agent[p.Info.ID])
		}
	}
	bound := boundOf(ctx, cfg.Bound())
	out.Say("crawl      up to %s · ends within %s", cli.Count(flags.limit, "visit"), cli.Duration(bound))
	r := s.follow(bound, func() crawl.Result { return fulltable.Run(ctx, v.dht, walk) })
	line := crawlLineOf(r, s.counted, bound, v.dht.Overdue())
	if err = folder.write(r, s.agents); err == nil {
		line.Files = folder.files()
	}
	word := crawlWord(r)
	out.Summary("%s %s in %s · %s, %d answered (%d %%)", crawlMark(out.ErrStyle(), r), r.Why, cli.Duration(r.Elapsed),
		cli.Count(r.Progress.Found, "peer"), r.Progress.Answered, share(r.Progress.Answered, r.Progress.Found))
	out.Gap()
	printCrawl(out, r, line)
	return ending{word, line}, cmp.Or(err, crawlTrouble(r))
}

func crawlLineOf(r crawl.Result, agents map[string]int, bound time.Duration, overdue int64) crawlLine {
	return crawlLine{
		Why: r.Why.String(), Found: r.Progress.Found, Answered: r.Progress.Answered, Failed: r.Progress.Failed,
		Left: r.Progress.Left, Dropped: r.Progress.Dropped, Liars: r.Liars, Failures: r.Failures.Words(),
		Agents: agents, Files: []string{}, Elapsed: ms(r.Elapsed), Bound: ms(bound), Overdue: overdue,
	}
}

// crawlWord is the outcome of a crawl in the words of all commands. One that
// ended at its limit has found what it was asked for.
func crawlWord(r crawl.Result) string {
	switch {
	case r.Progress.Answered == 0 && r.Why != crawl.Cancelled:
		return "no-peers"
	case r.Why == crawl.Complete:
		return "converged"
	case r.Why == crawl.Limit:
		return "found"
	case r.Why == crawl.Stuck:
		return "stalled"
	}
	return r.Why.String()
}

func crawlMark(style cli.Style, r crawl.Result) string {
	if r.Why == crawl.Complete {
		return style.Green("✓")
	}
	return style.Yellow("!")
}

// crawlTrouble says what was wrong with a crawl, if anything.
func crawlTrouble(r crawl.Result) error {
	seen := []string{fmt.Sprintf("%d of %s answered, %d are left", r.Progress.Answered, cli.Count(r.Progress.Found, "peer"), r.Progress.Left)}
	switch crawlWord(r) {
	case "no-peers":
		if words := failureWords(r.Failures.Words()); words != "" {
			seen = append(seen, words)
		}
		return trouble("WM-C001", "the crawl reached nobody", seen,
			[]string{"waymark bootstrap MADDR… shows how each seed fails"})
	case "partial-deadline":
		return trouble("WM-C002", "the crawl ran out of time after "+cli.Duration(r.Elapsed), seen,
			[]string{"go on with it: -o FOLDER, and then --resume"})
	case "stalled":
		return trouble("WM-C003", fmt.Sprintf("%d calls into the network do not return", r.Stuck), seen,
			[]string{"run it again; if that helps nothing, please report it"})
	}
	return nil
}

func printCrawl(out *cli.Out, r crawl.Result, line crawlLine) {
	row(out, "outcome", fmt.Sprintf("%s %s in %s of at most %s", crawlMark(out.Style, r), r.Why, cli.Duration(r.Elapsed), cli.Duration(r.Bound)))
	row(out, "peers", fmt.Sprintf("%d found · %d answered (%d %%) · %d unreachable · %d left", line.Found, line.Answered,
		share(line.Answered, line.Found), line.Failed, line.Left))
	if line.Dropped > 0 || line.Liars > 0 {
		row(out, "doubtful", fmt.Sprintf("%d named peers that do not exist; %d names found no room", line.Liars, line.Dropped))
	}
	row(out, "agents", shares(line.Agents, line.Answered))
	if line.Failed > 0 {
		row(out, "failures", shares(line.Failures, line.Failed))
	}
	if len(line.Files) > 0 {
		row(out, "files", strings.Join(line.Files, " "))
	}
}

// shares lists the most frequent of some words, with how much of all they are.
func shares(counts map[string]int, total int) string {
	words := make([]string, 0, len(counts))
	for w := range counts {
		words = append(words, w)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(counts[b]-counts[a], strings.Compare(a, b)) })
	more := ""
	if len(words) > agentsShown {
		more, words = " …", words[:agentsShown]
	}
	for i, w := range words {
		words[i] = fmt.Sprintf("%s %d %%", w, share(counts[w], total))
	}
	return strings.Join(words, " · ") + more
}

func share(part, all int) int { return part * 100 / max(1, all) }

// survey shows a crawl under way: it is told of each peer on the goroutine of
// the crawl, and shows them on that of the command.
type survey struct {
	out     *cli.Out
	host    host.Host
	until   time.Time
	began   time.Time
	agents  map[contact.ID]string // what the peers call themselves
	counted map[string]int        // the same, without versions

	mu    sync.Mutex
	ended []crawl.Peer // not shown yet
	at    crawl.Progress
	told  time.Time
}

func newSurvey(out *cli.Out, h host.Host) *survey {
	return &survey{out: out, host: h, agents: make(map[contact.ID]string), counted: make(map[string]int)}
}

func (s *survey) heard(p crawl.Peer, at crawl.Progress) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.ended, s.at = append(s.ended, p), at
}

// follow runs a crawl and shows it until it has ended.
func (s *survey) follow(bound time.Duration, work func() crawl.Result) (r crawl.Result) {
	s.began = s.out.Now()
	s.until = s.began.Add(bound)
	done := make(chan struct{})
	go func() { defer close(done); r = work() }()
	tick := time.NewTicker(frame)
	defer tick.Stop()
	for {
		select {
		case <-tick.C:
			s.show()
			s.out.Show(s)
		case <-done:
			s.told = time.Time{} // the last one is always told
			s.show()
			return r
		}
	}
}

// show writes the events of the peers that have ended since.
func (s *survey) show() {
	s.mu.Lock()
	ended, at := s.ended, s.at
	s.ended = nil
	s.mu.Unlock()
	for _, p := range ended {
		agent := ""
		if p.Answered {
			agent = s.agent(p.Info.ID)
		}
		s.out.Event("crawl.peer", peerRecordOf(p, agent))
		s.out.Detail("%s  %s %7s  %d named", cli.ShortID(idOf(p.Info)), cli.Pad(endOf(p), kindColumns), cli.Duration(p.RTT), p.Named)
	}
	if now := s.out.Now(); now.Sub(s.told) >= crawlEvery && at.Found > 0 {
		s.told = now
		s.out.Event("crawl.progress", progressOf(at))
	}
}

func endOf(p crawl.Peer) string {
	if p.Answered {
		return contact.None.String()
	}
	return p.Failure.String()
}

// agent is what a peer calls itself, if it has said so by now. Identify is not
// waited for.
func (s *survey) agent(id contact.ID) string {
	value, err := s.host.Peerstore().Get(peer.ID(id), "AgentVersion")
	text, _ := value.(string)
	if err != nil {
		text = ""
	}
	text = shortenTo(cli.Clean(text), 60)
	s.count(id, text)
	return text
}

// count counts a peer by what it calls itself, without its version.
func (s *survey) count(id contact.ID, agent string) {
	name, _, versioned := strings.Cut(agent, "@") // as go-libp2p names the program, else kubo/0.41.0
	if !versioned {
		name, _, _ = strings.Cut(agent, "/")
	}
	s.agents[id] = agent
	s.counted[cmp.Or(shortenTo(name, 40), "unknown")]++
}

// crawlProgress is the body of an event of progress.
type crawlProgress struct {
	Found    int `json:"found"`
	Answered int `json:"answered"`
	Failed   int `json:"failed"`
	Left     int `json:"left"`
}

func progressOf(at crawl.Progress) crawlProgress {
	return crawlProgress{at.Found, at.Answered, at.Failed, at.Left}
}

// Line implements cli.View.
func (s *survey) Line() string {
	s.mu.Lock()
	at := s.at
	s.mu.Unlock()
	return fmt.Sprintf("crawl  %d found · %d answered · %d unreachable · %d left; %s", at.Found, at.Answered, at.Failed, at.Left, s.eta(at))
}

// Region implements cli.View.
func (s *survey) Region(width int) []string {
	style := s.out.ErrStyle()
	s.mu.Lock()
	at := s.at
	s.mu.Unlock()
	done := float64(at.Answered+at.Failed) / float64(max(1, at.Found))
	return []string{
		cli.Spread(style.Bold("crawl"), style.Dim(cli.Tenths(s.out.Now().Sub(s.began))+"  "+s.eta(at)), min(width, column)),
		fmt.Sprintf("  %s  %d found · %d answered · %d unreachable · %d left", cli.Bar(done, barCells), at.Found, at.Answered, at.Failed, at.Left),
	}
}

// eta is how long it may still take: at most, until a few visits have ended,
// and then by how fast they have.
func (s *survey) eta(at crawl.Progress) string {
	now := s.out.Now()
	most := max(0, s.until.Sub(now))
	ended := at.Answered + at.Failed
	if ended < crawlSamples {
		return "≤ " + cli.Duration(most.Round(time.Second)) + " left"
	}
	guess := now.Sub(s.began) / time.Duration(ended) * time.Duration(at.Left)
	return "~" + cli.Duration(min(guess, most).Round(time.Second)) + " left"
}
