package cli

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"syscall"
	"time"

	"golang.org/x/term"
)

// Schema is the version of the lines that --json prints. Within it fields are
// only ever added.
const Schema = 1

// Options are the global flags that say how a command speaks.
type Options struct {
	JSON     bool
	Quiet    bool
	Verbose  bool
	Progress string // auto, tty, plain or none
	Color    string // auto, always or never
}

// Out is where a command speaks: answers go to stdout; progress, warnings and
// errors to stderr. With JSON, stdout carries one object per line, the last of
// which is always of type "result". Not safe for concurrent use.
type Out struct {
	Options
	Style  Style // of stdout, for people
	stdout io.Writer
	stderr io.Writer
	now    func() time.Time
	live   *Live
	lost   error // why a part of the answer could not be written
	errs   Style // of stderr
}

// NewOut returns an Out on the two streams.
func NewOut(stdout, stderr io.Writer, now func() time.Time, o Options) *Out {
	out := &Out{Options: o, stderr: stderr, now: now}
	out.stdout = &answers{w: stdout, lost: &out.lost}
	out.Style = Style{on: coloured(stdout, o.Color)}
	out.errs = Style{on: coloured(stderr, o.Color)}
	out.live = newLive(stderr, modeOf(stdout, stderr, o), func() (int, int) { return size(stderr) }, now())
	return out
}

// modeOf decides how progress is shown. Where the events themselves are read
// on a terminal, progress would only tear them.
func modeOf(stdout, stderr io.Writer, o Options) Mode {
	switch {
	case o.Quiet || o.Progress == "none" || o.Progress == "auto" && o.JSON && terminal(stdout):
		return ModeNone
	case o.Progress == "tty":
		return ModeTTY
	case o.Progress == "plain" || !terminal(stderr) || os.Getenv("TERM") == "dumb":
		return ModePlain
	}
	return ModeTTY
}

// coloured follows --color, then NO_COLOR, then what the stream is.
func coloured(w io.Writer, flag string) bool {
	if flag == "always" || flag == "never" {
		return flag == "always"
	}
	return os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb" && terminal(w)
}

func terminal(w io.Writer) bool {
	f, ok := w.(*os.File)
	return ok && term.IsTerminal(int(f.Fd()))
}

// size returns the terminal's columns and lines, or the smallest usual ones.
func size(w io.Writer) (width, height int) {
	if f, ok := w.(*os.File); ok {
		if width, height, err := term.GetSize(int(f.Fd())); err == nil && width > 0 && height > 0 {
			return width, height
		}
	}
	return 80, 24
}

// Now returns the time, as the one who made the Out tells it.
func (o *Out) Now() time.Time { return o.now() }

// ErrStyle returns the style of stderr, for what Live shows.
func (o *Out) ErrStyle() Style { return o.errs }

// Say prints a permanent line of progress.
func (o *Out) Say(format string, args ...any) { o.live.Say(o.now(), fmt.Sprintf(format, args...)) }

// Phase notes a change of phase.
func (o *Out) Phase(format string, args ...any) { o.live.Phase(o.now(), fmt.Sprintf(format, args...)) }

// Detail prints a permanent line of progress if --verbose asks for it.
func (o *Out) Detail(format string, args ...any) {
	if o.Verbose {
		o.Say(format, args...)
	}
}

// Show brings the live picture up to date.
func (o *Out) Show(view View) { o.live.Show(o.now(), view) }

// Summary replaces the live picture by one permanent line.
func (o *Out) Summary(format string, args ...any) {
	o.live.Close(o.now(), fmt.Sprintf(format, args...))
}

// Gap sets the answer off from the progress above it, where both are read
// together.
func (o *Out) Gap() {
	if o.live.mode == ModeTTY && !o.JSON {
		fmt.Fprintln(o.stderr)
	}
}

// Warn prints a line that even --quiet does not hide.
func (o *Out) Warn(format string, args ...any) {
	o.live.Clear()
	fmt.Fprintf(o.stderr, "%s %s\n", o.errs.Yellow("waymark:"), fmt.Sprintf(format, args...))
}

// Answer prints one line of the answer for people; with JSON the answer is in
// the events and the result. The live picture makes room for it.
func (o *Out) Answer(format string, args ...any) {
	if !o.JSON {
		o.live.Clear()
		fmt.Fprintf(o.stdout, format+"\n", args...)
	}
}

// Event prints one line of JSON, if JSON was asked for. Body is a struct or a
// map; its fields follow those that every line has.
func (o *Out) Event(kind string, body any) { o.EventAt(o.now(), kind, body) }

// EventAt is Event for something that happened at another time than now.
func (o *Out) EventAt(at time.Time, kind string, body any) {
	if !o.JSON {
		return
	}
	line, err := Line(at, kind, body)
	if err != nil {
		o.Warn("event %s cannot be written: %v", kind, err)
		return
	}
	o.stdout.Write(line) //nolint:errcheck // a reader that left has all it wanted
}

// Line encodes one line of the stream of events: version, date and type, then
// the fields of body.
func Line(at time.Time, kind string, body any) ([]byte, error) {
	head := fmt.Appendf(nil, `{"v":%d,"t":%q,"type":%q`, Schema, at.UTC().Format("2006-01-02T15:04:05.000Z"), kind)
	fields, err := encoded(body)
	if err != nil {
		return nil, err
	}
	fields = bytes.TrimPrefix(fields, []byte("{"))
	switch {
	case bytes.Equal(fields, []byte("null")) || bytes.Equal(fields, []byte("}")):
		return append(head, "}\n"...), nil
	case !bytes.HasSuffix(fields, []byte("}")):
		return nil, errors.New("the body of an event must be an object")
	}
	return append(append(append(head, ','), fields...), '\n'), nil
}

// answers is stdout, and remembers what it would not take.
type answers struct {
	w    io.Writer
	lost *error
}

func (a *answers) Write(b []byte) (int, error) {
	n, err := a.w.Write(b)
	if err != nil && *a.lost == nil && !errors.Is(err, syscall.EPIPE) {
		*a.lost = err // a reader that left has all it wanted
	}
	return n, err
}

// Lost returns why a part of the answer could not be written, if that was so.
func (o *Out) Lost() error { return o.lost }

// Tell prints a trouble for people after the end, where there is no line of
// JSON any more, and returns its exit code.
func (o *Out) Tell(t *Trouble) int {
	t.write(o.stderr, o.errs)
	return t.Exit
}

// encoded is a body as JSON. It is read by programs and in terminals, never in
// a page, so that < and > stay what they are.
func encoded(body any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	err := e.Encode(body)
	return bytes.TrimSpace(b.Bytes()), err
}

// Finish ends a command: the error if there is one, then the result line, and
// returns the exit code. A result has at least its outcome; body may be nil.
func (o *Out) Finish(outcome string, body any, trouble *Trouble) int {
	o.live.Clear()
	exit := ExitOf(outcome)
	if trouble != nil {
		exit = trouble.Exit
		o.Event("error", trouble)
		trouble.write(o.stderr, o.errs)
	}
	o.Event("result", result{Outcome: outcome, Exit: exit, body: body})
	return exit
}

// result is the last line: the outcome, the exit code, then what the command
// adds.
type result struct {
	Outcome string `json:"outcome"`
	Exit    int    `json:"exit"`
	body    any
}

// MarshalJSON splices the two objects.
func (r result) MarshalJSON() ([]byte, error) {
	type plain result
	head, err := encoded(plain(r))
	if err != nil || r.body == nil {
		return head, err
	}
	fields, err := encoded(r.body)
	if err != nil || len(fields) <= len("{}") {
		return head, err
	}
	return append(append(head[:len(head)-1], ','), fields[1:]...), nil
}
