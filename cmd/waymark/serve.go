package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/BurntSushi/toml"
	ma "github.com/multiformats/go-multiaddr"
	manet "github.com/multiformats/go-multiaddr/net"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/internal/devnet"
	"github.com/waymark-dht/waymark/validate/unsigned"
)

// devNamespaces are those of a development network: nobody signs their values.
var devNamespaces = []string{"note", "v"}

// serve runs a private network on this machine until it is interrupted.
func (a *app) serve() *cobra.Command {
	nodes := 20
	cmd := &cobra.Command{
		Use: "serve --dev N", Short: "run a private network on this machine", GroupID: "run", Args: wantArgs(0, 0),
		Long: "waymark serve --dev N: a private network of N nodes on loopback\n\n" +
			"It runs until it is interrupted, and writes its network file, so that the other\n" +
			"commands find it: --network dev.",
		Example: "  waymark serve --dev 20\n  waymark put /note/greeting hello --network dev",
		RunE: func(cmd *cobra.Command, _ []string) error {
			if !cmd.Flags().Changed("dev") {
				return trouble("WM-U004", "serve runs development networks only, so far",
					[]string{"--dev is missing"}, []string{"waymark serve --dev 20"})
			}
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runServe(ctx, out, nodes)
			})
		},
	}
	cmd.Flags().Var(&within{&nodes, 1, 500}, "dev", "how many nodes")
	return cmd
}

// serveLine is what the result line says of a network that ran.
type serveLine struct {
	Nodes    int    `json:"nodes"`
	Network  string `json:"network"`
	Answered uint64 `json:"requests_answered"`
}

func runServe(ctx context.Context, out *cli.Out, nodes int) (end ending, err error) {
	file, err := devFile()
	if err == nil {
		err = alone(ctx, file)
	}
	if err != nil {
		return end, err
	}
	out.Say("serve      %s on 127.0.0.1, until ^C", cli.Count(nodes, "node"))
	rules := map[string]waymark.Validator{}
	for _, n := range devNamespaces {
		rules[n] = unsigned.Validator{}
	}
	net, err := devnet.Start(ctx, devnet.Config{Nodes: nodes, Validators: rules}, func(int) {})
	switch {
	case err != nil && ctx.Err() != nil:
		return end, ctx.Err()
	case err != nil:
		return end, trouble("WM-D002", "the network could not start", []string{reason(err)}, []string{"ulimit -n shows the limit on open files; each node needs about six"})
	}
	defer net.Close()
	seeds, err := writeDevFile(file, net)
	if err != nil {
		return end, err
	}
	defer os.Remove(file)
	printServed(out, seeds, file)
	<-ctx.Done()
	line := serveLine{nodes, file, net.Answered()}
	if errors.Is(ctx.Err(), context.DeadlineExceeded) {
		return ending{body: line}, ctx.Err()
	}
	return ending{"cancelled", line}, trouble("WM-S001", "stopped",
		[]string{fmt.Sprintf("%s are stopped; they answered %s", cli.Count(nodes, "node"), cli.Count(int(line.Answered), "request"))},
		[]string{fmt.Sprintf("waymark serve --dev %d starts another", nodes)})
}

// probeBound is how long a development network that may be running has to take
// a connection on this machine.
const probeBound = time.Second

// alone wants no other development network to be running: the file of one that
// was killed may be left, but nobody listens any more where it points.
func alone(ctx context.Context, file string) error {
	if _, err := os.Stat(file); err != nil {
		return nil
	}
	net, err := readNetwork(file)
	if err != nil {
		return nil // it is replaced
	}
	ctx, cancel := context.WithTimeout(ctx, probeBound)
	defer cancel()
	for _, seed := range net.Seeds {
		where, _ := ma.SplitLast(seed) // the address without whose it is
		if _, err := seed.ValueForProtocol(ma.P_TCP); err != nil {
			continue
		}
		var d manet.Dialer
		conn, err := d.DialContext(ctx, where)
		if err != nil {
			continue
		}
		return errors.Join(trouble("WM-N007", "a development network is running already",
			[]string{fmt.Sprintf("%s answers, which %s names", seed, file)},
			[]string{"use it: --network dev", "or run another beside it: WAYMARK_DEV_DIR=FOLDER waymark serve --dev 20"}), conn.Close())
	}
	return nil
}

// devFile is where the file of the development network is. One network at a
// time: a second would take the file away from the first.
func devFile() (string, error) {
	if dir := os.Getenv("WAYMARK_DEV_DIR"); dir != "" {
		return filepath.Join(dir, "dev.toml"), nil
	}
	dir, err := os.UserCacheDir()
	if err != nil {
		return "", trouble("WM-N005", "there is no place for the network file", []string{reason(err)}, []string{"set WAYMARK_DEV_DIR to a folder"})
	}
	return filepath.Join(dir, "waymark", "dev.toml"), nil
}

// writeDevFile writes the network's file, whole or not at all.
func writeDevFile(file string, net *devnet.Network) (seeds []ma.Multiaddr, err error) {
	if seeds, err = net.HonestSeeds(3); err != nil {
		return nil, err
	}
	content := networkFile{Protocol: string(waymark.DefaultProtocol), Mode: "client", Namespaces: devNamespaces}
	for _, s := range seeds {
		content.Seeds = append(content.Seeds, s.String())
	}
	var b strings.Builder
	err = toml.NewEncoder(&b).Encode(content)
	if err == nil {
		err = os.MkdirAll(filepath.Dir(file), 0o700)
	}
	if err == nil {
		err = os.WriteFile(file+".new", []byte(b.String()), 0o600)
	}
	if err == nil {
		err = os.Rename(file+".new", file)
	}
	if err != nil {
		return nil, trouble("WM-N005", "the network file could not be written", []string{reason(err)}, []string{"set WAYMARK_DEV_DIR to a folder that you may write to"})
	}
	return seeds, nil
}

// servedLine is the event of a network that is up.
type servedLine struct {
	Network string   `json:"network"`
	Seeds   []string `json:"seeds"`
}

func printServed(out *cli.Out, seeds []ma.Multiaddr, file string) {
	line := servedLine{Network: file}
	for _, s := range seeds {
		line.Seeds = append(line.Seeds, s.String())
	}
	out.Event("ready", line)
	out.Say("network    %s", file)
	out.Say("try        waymark bootstrap --network dev")
	out.Say("           waymark put /note/greeting hello --network dev")
	out.Say("           waymark get /note/greeting --network dev")
	out.Say("           waymark lookup random --network dev")
	out.Say("           waymark query %s ping", seeds[0])
	out.Answer("%s", seeds[0])
}
