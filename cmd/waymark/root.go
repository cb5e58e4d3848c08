package main

import (
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/waymark-dht/waymark/internal/cli"
)

// The groups of commands, in the order of the help.
var groups = []*cobra.Group{
	{ID: "try", Title: "Try"},
	{ID: "run", Title: "Run"},
	{ID: "ask", Title: "Ask a network"},
	{ID: "tools", Title: "Tools"},
}

// maxTimeout is longer than any bound that the commands print.
const maxTimeout = 30 * 24 * time.Hour

// root returns the tree of commands.
func (a *app) root() *cobra.Command {
	root := &cobra.Command{
		Use:           "waymark",
		Short:         "a Kademlia DHT node that always ends what it begins",
		SilenceErrors: true, SilenceUsage: true,
		Args: cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			switch {
			case len(args) > 0:
				return unknownCommand(cmd, args[0])
			case a.wantsVersion:
				return a.printVersion(cmd.Context())
			}
			help(cmd, a.stdout)
			return nil
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error { return fromEnvironment(cmd) },
		CompletionOptions: cobra.CompletionOptions{HiddenDefaultCmd: true},
	}
	root.AddGroup(groups...)
	a.globalFlags(root.PersistentFlags())
	root.SetFlagErrorFunc(flagTrouble)
	root.SetHelpFunc(func(cmd *cobra.Command, _ []string) { help(cmd, a.stdout) })
	root.SetUsageFunc(func(cmd *cobra.Command) error { help(cmd, a.stderr); return nil })
	root.SetHelpCommand(a.helpCommand(root))
	root.Flags().BoolVar(&a.wantsVersion, "version", false, "what this program is, as waymark version")
	root.Flags().Lookup("version").Hidden = true
	root.AddCommand(a.demo(), a.sim(), a.serve(),
		a.bootstrap(), a.lookup(), a.findpeer(), a.put(), a.get(), a.provide(), a.findprovs(), a.crawl(),
		a.query(), a.ping(), a.identify(), a.explain(), a.version())
	root.AddCommand(a.conform())
	return root
}

// helpCommand is `waymark help COMMAND`, for those who ask in this order.
func (a *app) helpCommand(root *cobra.Command) *cobra.Command {
	return &cobra.Command{
		Use: "help [COMMAND]", Hidden: true, Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			cmd, rest, err := root.Find(args)
			if err != nil || len(rest) > 0 {
				return unknownCommand(cmd, rest[0])
			}
			help(cmd, a.stdout)
			return nil
		},
	}
}

func (a *app) globalFlags(flags *pflag.FlagSet) {
	o := &a.options
	flags.SortFlags = false
	flags.BoolVar(&o.JSON, "json", false, "JSON lines, the last of type result")
	flags.BoolVarP(&o.Quiet, "quiet", "q", false, "no progress; errors are still shown")
	flags.BoolVarP(&o.Verbose, "verbose", "v", false, "show every request")
	flags.Var(chosen(&o.Progress, "auto", "tty", "plain", "none"), "progress", "how to show progress")
	flags.Var(chosen(&o.Color, "auto", "always", "never"), "color", "NO_COLOR turns it off too")
	flags.Var(&span{&a.timeout, time.Millisecond, maxTimeout}, "timeout", "end sooner than the bound, e.g. 10s")
}

// help prints the help of a command. It is plain code: a template would keep
// the linker from removing what nobody calls.
func help(cmd *cobra.Command, w io.Writer) {
	var b strings.Builder
	about := cmd.Long
	if about == "" {
		about = cmd.CommandPath() + ": " + cmd.Short
	}
	fmt.Fprintf(&b, "%s\n\nUsage\n  %s\n", about, usageLine(cmd))
	for _, g := range cmd.Groups() {
		section(&b, g.Title, commandLines(cmd, g.ID))
	}
	if cmd.Example != "" {
		fmt.Fprintf(&b, "\nExamples\n%s\n", cmd.Example)
	}
	section(&b, "Flags", flagLines(cmd.LocalNonPersistentFlags()))
	section(&b, "Global flags", flagLines(cmd.Root().PersistentFlags()))
	if cmd.HasParent() {
		b.WriteString("\nEvery flag is also read from WAYMARK_<NAME>. Exit codes: waymark --help\n")
	} else {
		section(&b, "Exit codes", exitLines())
		b.WriteString("\nEvery flag is also read from WAYMARK_<NAME>, as WAYMARK_NETWORK=dev.\n")
	}
	io.WriteString(w, b.String()) //nolint:errcheck // nobody is left to tell
}

func usageLine(cmd *cobra.Command) string {
	if cmd.HasAvailableSubCommands() {
		return cmd.CommandPath() + " COMMAND [ARGUMENTS] [FLAGS]   (waymark COMMAND --help tells more)"
	}
	return strings.Replace(cmd.UseLine(), "[flags]", "[FLAGS]", 1)
}

func commandLines(cmd *cobra.Command, group string) (lines [][2]string) {
	for _, c := range cmd.Commands() {
		if c.GroupID == group && c.IsAvailableCommand() {
			_, args, _ := strings.Cut(c.Use, " ")
			lines = append(lines, [2]string{strings.TrimSpace(c.Name() + " " + args), c.Short})
		}
	}
	return lines
}

func flagLines(flags *pflag.FlagSet) (lines [][2]string) {
	flags.VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		left := "--" + f.Name
		if f.Shorthand != "" {
			left = "-" + f.Shorthand + ", " + left
		}
		value, usage := pflag.UnquoteUsage(f) // `FILE` in the usage names the value
		if !strings.Contains(f.Usage, "`") {
			value = placeholder(f.Value.Type())
		}
		if value != "" {
			left += " " + value
		}
		if f.DefValue != "" && f.DefValue != "false" && f.DefValue != "0s" && f.DefValue != "[]" {
			usage += " (" + f.DefValue + ")"
		}
		lines = append(lines, [2]string{left, usage})
	})
	return lines
}

// placeholder is what stands for a flag's value in the help.
func placeholder(kind string) string {
	switch kind {
	case "bool":
		return ""
	case "uint64", "int":
		return "N"
	case "string":
		return "TEXT"
	case "stringSlice", "stringArray":
		return "MADDR"
	}
	return kind
}

func exitLines() (lines [][2]string) {
	for _, e := range cli.ExitCodes {
		lines = append(lines, [2]string{fmt.Sprintf("%3d", e.Code), e.Meaning})
	}
	return lines
}

// section prints two columns below a title, if there is anything to print.
func section(b *strings.Builder, title string, lines [][2]string) {
	if len(lines) == 0 {
		return
	}
	width := 0
	for _, l := range lines {
		width = max(width, cli.Width(l[0]))
	}
	fmt.Fprintf(b, "\n%s\n", title)
	for _, l := range lines {
		fmt.Fprintf(b, "  %s   %s\n", cli.Pad(l[0], width), l[1])
	}
}
