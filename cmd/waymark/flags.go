package main

import (
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/waymark-dht/waymark/internal/cli"
)

// choice is the value of a flag that takes one of a few words.
type choice struct {
	into  *string
	words []string
}

// chosen makes a choice with its default.
func chosen(into *string, words ...string) *choice {
	*into = words[0]
	return &choice{into: into, words: words}
}

func (c *choice) String() string { return *c.into }
func (c *choice) Type() string   { return strings.Join(c.words, "|") }

// Set takes one of the words.
func (c *choice) Set(word string) error {
	if !slices.Contains(c.words, word) {
		return &choiceError{word: word, words: c.words}
	}
	*c.into = word
	return nil
}

// choiceError says which words there are, and which was probably meant.
type choiceError struct {
	word  string
	words []string
}

func (e *choiceError) Error() string {
	text := "it is one of " + strings.Join(e.words, ", ")
	if guess := cli.Nearest(e.word, e.words); guess != "" {
		text = "did you mean " + guess + "? " + text
	}
	return text
}

// within is the value of a flag that takes a whole number between two limits.
type within struct {
	into        *int
	least, most int
}

func (w *within) String() string { return fmt.Sprint(*w.into) }
func (w *within) Type() string   { return "N" }

// Set takes a number within the limits.
func (w *within) Set(text string) error {
	var n int
	if _, err := fmt.Sscanf(text, "%d", &n); err != nil || fmt.Sprint(n) != text || n < w.least || n > w.most {
		return &rangeError{w.least, w.most}
	}
	*w.into = n
	return nil
}

// rangeError says what numbers are possible.
type rangeError struct{ least, most int }

func (e *rangeError) Error() string {
	return fmt.Sprintf("it is a whole number from %d to %d", e.least, e.most)
}

// number adds a flag for a whole number.
func number(flags *pflag.FlagSet, into *int, name string, value, least, most int, usage string) {
	*into = value
	flags.Var(&within{into, least, most}, name, usage)
}

// span is the value of a flag that takes a time between two limits.
type span struct {
	into        *time.Duration
	least, most time.Duration
}

func (s *span) String() string { return s.into.String() }
func (s *span) Type() string   { return "D" }

// Set takes a time within the limits.
func (s *span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if err != nil || d < s.least || d > s.most {
		return &spanError{s.least, s.most}
	}
	*s.into = d
	return nil
}

// spanError says what times are possible.
type spanError struct{ least, most time.Duration }

func (e *spanError) Error() string {
	return fmt.Sprintf("it is a time with its unit, as in 500ms, 10s or 5m, from %s to %s", brief(e.least), brief(e.most))
}

// brief is a time as people type it: 1h, not 1h0m0s.
func brief(d time.Duration) string {
	text := d.String()
	for _, nothing := range []string{"m0s", "h0m"} {
		if rest, cut := strings.CutSuffix(text, nothing); cut {
			text = rest + nothing[:1]
		}
	}
	return text
}

// kindWords say what a flag of a kind takes.
var kindWords = map[string]string{
	"uint64": "it is a whole number from 0 to 18446744073709551615",
	"bool":   "it is true or false",
}

// fromEnvironment gives every flag that was not typed the value of
// WAYMARK_<NAME>, if there is one.
func fromEnvironment(cmd *cobra.Command) (err error) {
	cmd.Flags().VisitAll(func(f *pflag.Flag) {
		name := "WAYMARK_" + strings.ToUpper(strings.ReplaceAll(f.Name, "-", "_"))
		value, set := os.LookupEnv(name)
		if !set || f.Changed || err != nil {
			return
		}
		if why := cmd.Flags().Set(f.Name, value); why != nil {
			err = badValue(f, value, "from "+name, why, cmd.CommandPath()+" --help")
		}
	})
	return err
}
