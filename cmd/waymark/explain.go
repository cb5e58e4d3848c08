package main

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark/internal/cli"
)

// explain says what a code means. It works offline.
func (a *app) explain() *cobra.Command {
	return &cobra.Command{
		Use: "explain [CODE]", Short: "what an error's code means and what to do", GroupID: "tools", Args: wantArgs(0, 1),
		Example: "  waymark explain WM-B002",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(_ context.Context, out *cli.Out) (ending, error) {
				if len(args) == 0 {
					return listCodes(out), nil
				}
				return explainCode(out, args[0])
			})
		},
		ValidArgsFunction: func(*cobra.Command, []string, string) ([]string, cobra.ShellCompDirective) {
			return codeNames(), cobra.ShellCompDirectiveNoFileComp
		},
	}
}

// explained is what explain says, for programs.
type explained struct {
	Code  string `json:"code"`
	Title string `json:"title"`
	Text  string `json:"text"`
	Exit  int    `json:"exit_code"`
}

func listCodes(out *cli.Out) ending {
	for _, c := range codes {
		out.Answer("%s   exit %d   %s", c.name, c.exit, c.title)
		out.Event("code", explained{c.name, c.title, c.text, c.exit})
	}
	return ending{outcome: "ok"}
}

func explainCode(out *cli.Out, typed string) (ending, error) {
	name := strings.ToUpper(typed)
	c, known := codeOf(name)
	if !known {
		c, known = codeOf("WM-" + name)
	}
	if known {
		out.Answer("%s: %s (exit code %d)\n\n%s", c.name, c.title, c.exit, c.text)
		return ending{"ok", explained{c.name, c.title, c.text, c.exit}}, nil
	}
	seen, next := "the codes have the form WM-B002", "waymark explain"
	if guess := cli.Nearest(name, codeNames()); guess != "" {
		seen, next = "did you mean "+guess+"?", "waymark explain "+guess
	}
	return ending{}, trouble("WM-U005", fmt.Sprintf("there is no code %q", shortenTo(typed, 60)), []string{seen}, []string{next})
}

func codeNames() (names []string) {
	for _, c := range codes {
		names = append(names, c.name)
	}
	return names
}
