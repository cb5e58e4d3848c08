package cli

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/internal/golden"
)

// screen is a terminal just good enough to judge Live: it moves up, clears,
// wraps, and counts how often it was written to.
type screen struct {
	width, height int
	rows          [][]rune
	row, col      int
	writes        int
	wrapped       bool
}

func (s *screen) Write(p []byte) (int, error) {
	s.writes++
	text := []rune(string(p))
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\n':
			s.row, s.col = s.row+1, 0
		case '\r':
			s.col = 0
		case '\x1b':
			i += s.escape(text[i:])
		default:
			s.put(text[i])
		}
	}
	return len(p), nil
}

// escape obeys one sequence and returns how many more runes it took.
func (s *screen) escape(text []rune) int {
	end := 2
	for end < len(text) && (text[end] < '@' || text[end] > '~') {
		end++
	}
	switch text[end] {
	case 'A':
		var n int
		fmt.Sscanf(string(text[2:end]), "%d", &n)
		s.row = max(0, s.row-n)
	case 'K':
		s.grow()
		s.rows[s.row] = s.rows[s.row][:min(s.col, len(s.rows[s.row]))]
	case 'J':
		s.grow()
		s.rows = s.rows[:s.row]
	}
	return end
}

func (s *screen) grow() {
	for len(s.rows) <= s.row {
		s.rows = append(s.rows, nil)
	}
}

func (s *screen) put(r rune) {
	if s.col == s.width {
		s.row, s.col, s.wrapped = s.row+1, 0, true
	}
	s.grow()
	for len(s.rows[s.row]) <= s.col {
		s.rows[s.row] = append(s.rows[s.row], ' ')
	}
	s.rows[s.row][s.col] = r
	s.col++
}

func (s *screen) String() string {
	var b strings.Builder
	for _, row := range s.rows {
		fmt.Fprintf(&b, "|%s\n", strings.TrimRight(string(row), " "))
	}
	return b.String()
}

// picture is a View of fixed lines.
type picture []string

func (p picture) Region(int) []string { return p }
func (p picture) Line() string        { return strings.Join(p, "; ") }

var start = time.Date(2026, 11, 22, 20, 41, 33, 120e6, time.UTC)

func at(ms int) time.Time { return start.Add(time.Duration(ms) * time.Millisecond) }

func TestARegionIsRedrawnInPlaceAndEndsAsOneLine(t *testing.T) {
	s := &screen{width: 40, height: 24}
	l := newLive(s, ModeTTY, func() (int, int) { return s.width, s.height }, start)
	var story strings.Builder
	look := func(what string) { fmt.Fprintf(&story, "# %s\n%s\n", what, s) }

	l.Say(at(0), "waymark · a permanent line")
	l.Show(at(0), picture{"bootstrap", "  step 1", "  waiting on somebody"})
	look("the first picture")
	l.Show(at(50), picture{"too early to be shown"})
	look("50 ms later nothing is redrawn")
	l.Show(at(100), picture{"bootstrap", "  step 2"})
	look("100 ms later it is, and a shorter picture leaves nothing behind")
	l.Say(at(150), "a warning goes above the region")
	look("a permanent line")
	l.Show(at(250), picture{strings.Repeat("0123456789", 6), Style{on: true}.Red(strings.Repeat("x", 60))})
	look("long lines are cut, never wrapped")
	l.Close(at(300), "ready in 0.3s")
	look("the end")
	if s.wrapped {
		t.Error("a line was wrapped")
	}
	golden.Check(t, "a_region_is_redrawn_in_place_and_ends_as_one_line", story.String())
}

func TestAnAnswerDoesNotTearTheRegion(t *testing.T) {
	s := &screen{width: 40, height: 24}
	out := NewOut(s, s, func() time.Time { return at(0) }, Options{Progress: "tty", Color: "never"})
	out.Show(picture{"ping", "  waiting on somebody"})
	out.Answer("pong")
	out.live.lastDraw = time.Time{}
	out.Show(picture{"ping again"})
	if got, want := s.String(), "|pong\n|ping again\n"; got != want {
		t.Errorf("the screen shows\n%swant\n%s", got, want)
	}
}

func TestARegionFitsItsTerminal(t *testing.T) {
	for _, height := range []int{1, 2, 3, 5, 24, 60} {
		s := &screen{width: 30, height: height}
		l := newLive(s, ModeTTY, func() (int, int) { return s.width, s.height }, start)
		l.Show(at(0), make(picture, 100))
		if limit := max(0, min(maxRegion, height-2)); len(l.frame) > limit {
			t.Errorf("height %d: %d lines, at most %d fit", height, len(l.frame), limit)
		}
	}
}

func TestACalmPictureIsNotWrittenAgain(t *testing.T) {
	s := &screen{width: 40, height: 24}
	l := newLive(s, ModeTTY, func() (int, int) { return s.width, s.height }, start)
	for ms := range 10_000 {
		l.Show(at(ms), picture{"the same"})
	}
	if s.writes != 1 {
		t.Errorf("%d writes of one picture", s.writes)
	}
	s.writes = 0
	for ms := range 10_000 {
		l.Show(at(10_000+ms), picture{fmt.Sprint(ms)})
	}
	if s.writes > 100 {
		t.Errorf("%d pictures in 10 s; 10 a second are calm", s.writes)
	}
}

func TestAPipeHearsEveryPhaseAndAHeartbeat(t *testing.T) {
	var b bytes.Buffer
	l := newLive(&b, ModePlain, nil, start)
	l.Phase(at(10), "seeds")
	for ms := 0; ms < 12_000; ms += 100 {
		l.Show(at(ms), picture{"step 1", "waiting on somebody"})
	}
	l.Phase(at(12_000), "self")
	for ms := 12_000; ms < 18_000; ms += 100 {
		l.Show(at(ms), picture{"step 2"})
	}
	l.Close(at(18_000), "ready in 18.0s")
	golden.Check(t, "a_pipe_hears_every_phase_and_a_heartbeat", b.String())
}

func TestQuietIsQuiet(t *testing.T) {
	var b bytes.Buffer
	l := newLive(&b, ModeNone, nil, start)
	l.Say(at(0), "a")
	l.Phase(at(1), "b")
	l.Show(at(10_000), picture{"c"})
	l.Close(at(10_001), "d")
	if b.Len() > 0 {
		t.Errorf("quiet printed %q", b.String())
	}
}
