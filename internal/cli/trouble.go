package cli

import (
	"fmt"
	"io"
	"strings"
)

// Trouble is an error that a person can act on: what happened, what was seen
// of it, what to do next, and a stable code under which it is explained.
type Trouble struct {
	Code    string   `json:"code"`
	What    string   `json:"what"`
	Seen    []string `json:"seen"`
	Next    []string `json:"next"`
	Exit    int      `json:"exit"`
	Outcome string   `json:"-"` // for the result line; empty means "failed"
}

// Error returns the first line.
func (t *Trouble) Error() string { return t.What }

// evidence is how wide its lines are, so that they fit the smallest usual
// terminal beside their label. What to do next is not broken: it is copied.
const evidence = 70

// write prints the trouble for people: one line of what, one of evidence, one
// of what to do next, and the code.
func (t *Trouble) write(w io.Writer, style Style) {
	var b strings.Builder
	fmt.Fprintf(&b, "%s %s\n", style.Red("waymark:"), Clean(t.What))
	var seen []string
	for _, line := range t.Seen {
		seen = append(seen, Wrap(strings.Fields(Clean(line)), " ", evidence)...)
	}
	block(&b, style, "seen", seen)
	block(&b, style, "next", t.Next)
	fmt.Fprintf(&b, "  %s\n", style.Dim(t.Code+" · waymark explain "+t.Code))
	io.WriteString(w, b.String()) //nolint:errcheck // nobody is left to tell
}

func block(b *strings.Builder, style Style, label string, lines []string) {
	for _, line := range lines {
		fmt.Fprintf(b, "  %s   %s\n", style.Dim(label), Clean(line))
		label = strings.Repeat(" ", len(label))
	}
}
