package main

import (
	"cmp"
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/waymark-dht/waymark/internal/cli"
)

// interrupted says that a signal ended the command.
func interrupted(by *signalled, err error) *cli.Trouble {
	seen := "stopped at once; what there was is printed above"
	next := "run it again; --timeout 10s would end it by itself"
	var t *cli.Trouble
	switch {
	case errors.As(err, &t) && t.Code == "WM-S001": // the command is made to be interrupted
		seen, next = t.Seen[0], t.Next[0]
	case t != nil && t.Code != "WM-X001":
		seen = "stopped at once; until then: " + t.What
	}
	what := "interrupted"
	if by.exit() == cli.ExitTerminated {
		what = "terminated"
	}
	s := trouble("WM-S001", what, []string{seen}, []string{next})
	s.Exit = by.exit()
	return s
}

// usageTrouble is what cobra found wrong before any command ran.
func usageTrouble(err error) *cli.Trouble {
	var t *cli.Trouble
	if errors.As(err, &t) {
		return t
	}
	return unexpected(err, "waymark --help")
}

// unexpected is an error that nobody has better words for: its first part is
// what happened, and the whole of it the evidence.
func unexpected(err error, next string) *cli.Trouble {
	what, _, _ := strings.Cut(err.Error(), ": ")
	return trouble("WM-X001", shortenTo(what, 120), []string{shortenTo(err.Error(), 240)}, []string{next})
}

// unknownCommand guesses what was meant.
func unknownCommand(root *cobra.Command, word string) *cli.Trouble {
	var names []string
	for _, c := range root.Commands() {
		if c.IsAvailableCommand() {
			names = append(names, c.Name())
		}
	}
	seen, next := "the commands are: "+strings.Join(names, ", "), root.CommandPath()+" --help"
	if guess := cli.Nearest(word, names); guess != "" {
		seen, next = "did you mean "+guess+"?", root.CommandPath()+" "+guess
	}
	return trouble("WM-U001", fmt.Sprintf("there is no command %q", word), []string{seen}, []string{next})
}

// flagTrouble turns pflag's errors into ours.
func flagTrouble(cmd *cobra.Command, err error) error {
	var (
		unknown *pflag.NotExistError
		bad     *pflag.InvalidValueError
		missing *pflag.ValueRequiredError
	)
	help := cmd.CommandPath() + " --help"
	switch {
	case errors.As(err, &unknown):
		return unknownFlag(cmd, unknown)
	case errors.As(err, &bad):
		return badValue(bad.GetFlag(), bad.GetValue(), "on the command line", bad.Unwrap(), help)
	case errors.As(err, &missing):
		f := missing.GetFlag()
		return trouble("WM-U003", "--"+f.Name+" wants a value", []string{"--" + f.Name + ": " + about(f)}, []string{help})
	}
	return trouble("WM-U002", "the flags cannot be meant so", []string{err.Error()}, []string{help})
}

// about is a flag's usage as a sentence.
func about(f *pflag.Flag) string { return strings.ReplaceAll(f.Usage, "`", "") }

// verbOf is a command as it follows the program's name: "sim run".
func verbOf(cmd *cobra.Command) string {
	return cmp.Or(strings.TrimPrefix(strings.TrimPrefix(cmd.CommandPath(), "waymark"), " "), "waymark")
}

func unknownFlag(cmd *cobra.Command, err *pflag.NotExistError) *cli.Trouble {
	typed, names := err.GetSpecifiedName(), []string(nil)
	cmd.Flags().VisitAll(func(f *pflag.Flag) { names = append(names, f.Name) })
	what := fmt.Sprintf("%s has no flag --%s", verbOf(cmd), typed)
	if letters := err.GetSpecifiedShortnames(); letters != "" {
		what = fmt.Sprintf("%s has no flag -%.1s", verbOf(cmd), typed)
	}
	seen, next := "the flags are: --"+strings.Join(names, ", --"), cmd.CommandPath()+" --help"
	if guess := cli.Nearest(typed, names); guess != "" {
		seen = "did you mean --" + guess + "?"
	}
	return trouble("WM-U002", what, []string{seen}, []string{next})
}

// badValue says which flag cannot have which value, and where it came from.
func badValue(f *pflag.Flag, value, where string, why error, help string) *cli.Trouble {
	var t *cli.Trouble
	if errors.As(why, &t) {
		return t
	}
	reason := cmp.Or(kindWords[f.Value.Type()], about(f))
	var words *choiceError
	var limits *rangeError
	var times *spanError
	switch { // the error itself, without what pflag puts around it
	case errors.As(why, &words):
		reason = words.Error()
	case errors.As(why, &limits):
		reason = limits.Error()
	case errors.As(why, &times):
		reason = times.Error()
	}
	return trouble("WM-U003", fmt.Sprintf("--%s cannot be %q (%s)", f.Name, value, where),
		[]string{reason}, []string{help})
}

// wanted says how many arguments there may be.
func wanted(least, most int) string {
	switch {
	case most == 0:
		return "no arguments"
	case least == most:
		return cli.Count(least, "argument")
	case most < 0:
		return "at least " + cli.Count(least, "argument")
	}
	return fmt.Sprintf("%d to %d arguments", least, most)
}

// countOf says how many arguments there are.
func countOf(args []string) string {
	if len(args) == 0 {
		return "none"
	}
	return fmt.Sprint(len(args))
}

// wantArgs checks how many arguments a command got; -1 is no limit.
func wantArgs(least, most int) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) >= least && (most < 0 || len(args) <= most) {
			return nil
		}
		what := fmt.Sprintf("%s wants %s and got %s", verbOf(cmd), wanted(least, most), countOf(args))
		return trouble("WM-U004", what, []string{"usage: " + usageLine(cmd)}, []string{cmd.CommandPath() + " --help"})
	}
}
