package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/waymark-dht/waymark/internal/golden"
)

func newTestOut(o Options) (out *Out, stdout, stderr *bytes.Buffer) {
	stdout, stderr = new(bytes.Buffer), new(bytes.Buffer)
	o.Color = "never"
	return NewOut(stdout, stderr, func() time.Time { return start }, o), stdout, stderr
}

var trouble = &Trouble{
	Code: "WM-B002", What: "no seed answered", Seen: []string{"5 seeds: 3 refused", "2 black-hole\x1b[2J"},
	Next: []string{"check the addresses"}, Exit: ExitNoPeers,
}

func TestAFailureIsAnErrorLineThenAResultLine(t *testing.T) {
	out, stdout, stderr := newTestOut(Options{JSON: true})
	out.Event("bootstrap.phase", map[string]int{"step": 1})
	if exit := out.Finish("no-peers", struct {
		Elapsed float64 `json:"elapsed_ms"`
	}{1.5}, trouble); exit != ExitNoPeers {
		t.Errorf("exit %d", exit)
	}
	golden.Check(t, "a_failure_is_an_error_line_then_a_result_line", stdout.String()+"\n"+stderr.String())
	for _, line := range strings.Split(strings.TrimSpace(stdout.String()), "\n") {
		if !json.Valid([]byte(line)) {
			t.Errorf("not JSON: %s", line)
		}
	}
}

func TestEveryLineHasVersionDateAndType(t *testing.T) {
	for _, body := range []any{nil, struct{}{}, map[string]int{}, map[string]int{"a": 1}} {
		line, err := Line(start, "x", body)
		if err != nil {
			t.Fatal(err)
		}
		var got struct {
			V       int
			T, Type string
		}
		if err := json.Unmarshal(line, &got); err != nil {
			t.Fatalf("%s: %v", line, err)
		}
		if got.V != Schema || got.T != "2026-11-22T20:41:33.120Z" || got.Type != "x" {
			t.Errorf("%+v gave %s", body, line)
		}
	}
	if _, err := Line(start, "x", []int{1}); err == nil {
		t.Error("an array is not the body of an event")
	}
}

func TestPeopleGetAnswersAndProgramsGetEvents(t *testing.T) {
	out, stdout, _ := newTestOut(Options{})
	out.Answer("12D3")
	out.Event("peer", nil)
	if exit := out.Finish("converged", nil, nil); exit != 0 || stdout.String() != "12D3\n" {
		t.Errorf("exit %d, stdout %q", exit, stdout)
	}
	out, stdout, _ = newTestOut(Options{JSON: true})
	out.Answer("12D3")
	out.Finish("converged", nil, nil)
	want := `{"v":1,"t":"2026-11-22T20:41:33.120Z","type":"result","outcome":"converged","exit":0}` + "\n"
	if stdout.String() != want {
		t.Errorf("stdout %q, want %q", stdout, want)
	}
}

func TestErrorsAreNotHiddenByQuiet(t *testing.T) {
	out, _, stderr := newTestOut(Options{Quiet: true})
	out.Say("progress")
	out.Finish("no-peers", nil, trouble)
	if got := stderr.String(); !strings.HasPrefix(got, "waymark: no seed answered\n") {
		t.Errorf("stderr %q", got)
	}
}

func TestNearest(t *testing.T) {
	words := []string{"bootstrap", "demo", "lookup", "version", "ping", "auto", "tty", "plain", "none"}
	for typed, want := range map[string]string{
		"bootsrap": "bootstrap", "boot": "bootstrap", "dmeo": "demo", "Demo": "demo", "lokup": "lookup",
		"vesrion": "version", "pign": "ping", "plane": "plain", "quantum": "", "x": "", "": "",
	} {
		if got := Nearest(typed, words); got != want {
			t.Errorf("Nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func TestColumns(t *testing.T) {
	lines := Columns([][]string{{"", "waymark", "β"}, {"recall", "0.9989", "1 ×2"}, {"µ", "", ""}})
	if got, want := strings.Join(lines, "|"), "        waymark  β|recall  0.9989   1 ×2|µ"; got != want {
		t.Errorf("the table is\n%s\nwant\n%s", got, want)
	}
}

func TestDuration(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0µs", 999 * time.Nanosecond: "1µs", 1200 * time.Microsecond: "1.2ms", 9999 * time.Microsecond: "10ms",
		999_600 * time.Microsecond: "1.00s", 2346 * time.Millisecond: "2.35s", 9999 * time.Millisecond: "10.0s",
		60 * time.Second: "60.0s", 125 * time.Second: "2m05s", 3599 * time.Second: "59m59s", 3599_600 * time.Millisecond: "1h00m",
		46920 * time.Second: "13h02m", -time.Second: "-1.00s",
	} {
		if got := Duration(d); got != want {
			t.Errorf("Duration(%d) = %q, want %q", d, got, want)
		}
	}
}

func TestTextOfOthersCannotMoveTheCursor(t *testing.T) {
	if got := Clean("a\x1b[2Jb\nc\u202ed\u009b"); got != "a·[2Jb c·d·" {
		t.Errorf("Clean gave %q", got)
	}
}

func TestClipCountsWhatIsSeen(t *testing.T) {
	red := Style{on: true}.Red("abcdef")
	for width := range 8 {
		if got := Width(Clip(red, width)); got > width {
			t.Errorf("clipped to %d it takes %d", width, got)
		}
	}
	if got := Clip(red, 6); got != red {
		t.Errorf("what fits was changed: %q", got)
	}
	if got := Clip(red, 4); !strings.HasSuffix(got, "…\x1b[0m") {
		t.Errorf("the style does not end: %q", got)
	}
}

func TestNumbersAndNouns(t *testing.T) {
	for n, want := range map[int]string{0: "0", 7: "7", 9999: "9999", 10_000: "10,000", 1_234_567: "1,234,567", -9999: "-9999", -10_000: "-10,000", -123_456: "-123,456"} {
		if got := Number(n); got != want {
			t.Errorf("Number(%d) = %q, want %q", n, got, want)
		}
	}
	for noun, want := range map[string]string{"seed": "2 seeds", "address": "2 addresses", "batch": "2 batches"} {
		if got := Count(2, noun); got != want {
			t.Errorf("Count(2, %q) = %q, want %q", noun, got, want)
		}
		if got := Count(1, noun); got != "1 "+noun {
			t.Errorf("Count(1, %q) = %q", noun, got)
		}
	}
}

// full takes nothing, and says why.
type full struct{ why error }

func (f full) Write([]byte) (int, error) { return 0, f.why }

func TestAnAnswerThatIsLostIsNoticed(t *testing.T) {
	noRoom := errors.New("no space left on device")
	for _, c := range []struct{ why, want error }{{noRoom, noRoom}, {syscall.EPIPE, nil}, {nil, nil}} {
		for _, o := range []Options{{}, {JSON: true}} {
			out := NewOut(full{c.why}, io.Discard, time.Now, o)
			out.Answer("hello")
			out.Finish("ok", nil, nil)
			if got := out.Lost(); got != c.want {
				t.Errorf("writing ended with %v: lost %v, want %v", c.why, got, c.want)
			}
		}
	}
}
