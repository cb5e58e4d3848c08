package main

import (
	"context"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/cli"
)

// release is what this tree is, or leads up to.
const release = "0.1.0-dev"

// userAgent is what our nodes call themselves to others.
const userAgent = "waymark/" + release

// build is what is known of how the program came to be.
type build struct {
	Version  string `json:"version"`
	Commit   string `json:"commit,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
	Libp2p   string `json:"go_libp2p,omitempty"`
	Protocol string `json:"protocol"`
}

// version prints what this program is.
func (a *app) version() *cobra.Command {
	return &cobra.Command{
		Use: "version", Short: "what this program is", GroupID: "tools", Args: wantArgs(0, 0),
		RunE: func(cmd *cobra.Command, _ []string) error { return a.printVersion(cmd.Context()) },
	}
}

func (a *app) printVersion(ctx context.Context) error {
	return a.do(ctx, func(_ context.Context, out *cli.Out) (ending, error) {
		b := readBuild()
		out.Answer("waymark %s", b.Version)
		if b.Commit != "" {
			out.Answer("commit   %s", b.Commit+map[bool]string{true: ", modified"}[b.Modified])
		}
		out.Answer("go       %s %s/%s", b.Go, b.OS, b.Arch)
		out.Answer("libp2p   %s", b.Libp2p)
		out.Answer("protocol %s", b.Protocol)
		return ending{"ok", b}, nil
	})
}

func readBuild() build {
	b := build{
		Version: release, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH,
		Protocol: string(waymark.DefaultProtocol),
	}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, dep := range info.Deps {
		if dep.Path == "github.com/libp2p/go-libp2p" {
			b.Libp2p = dep.Version
		}
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Commit = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
