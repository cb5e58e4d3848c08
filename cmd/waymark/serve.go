package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/libp2p/go-libp2p/core/peer"
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
	if err != nil {
		return end, err
	}
	out.Say("serve      %d nodes on 127.0.0.1, until ^C", nodes)
	rules := map[string]waymark.Validator{}
	for _, n := range devNamespaces {
		rules[n] = unsigned.Validator{}
	}
	net, err := devnet.Start(ctx, devnet.Config{Nodes: nodes, Validators: rules}, func(int) {})
	if err != nil {
		return end, trouble("WM-D002", "the network could not start", []string{reason(err)}, []string{"ulimit -n shows the limit on open files; each node needs about six"})
	}
	defer net.Close()
	if err := writeDevFile(file, net); err != nil {
		return end, err
	}
	defer os.Remove(file)
	printServed(out, net, file)
	<-ctx.Done()
	return ending{"cancelled", serveLine{nodes, file, net.Answered()}}, nil
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
func writeDevFile(file string, net *devnet.Network) error {
	seeds, err := net.HonestSeeds(3)
	if err != nil {
		return err
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
		return trouble("WM-N005", "the network file could not be written", []string{reason(err)}, []string{"set WAYMARK_DEV_DIR to a folder that you may write to"})
	}
	return nil
}

func printServed(out *cli.Out, net *devnet.Network, file string) {
	first, err := peer.AddrInfoToP2pAddrs(&net.Members[0].Info)
	if err != nil || len(first) == 0 {
		return
	}
	out.Say("network    %s", file)
	out.Say("try        waymark bootstrap --network dev")
	out.Say("           waymark put /note/greeting hello --network dev")
	out.Say("           waymark get /note/greeting --network dev")
	out.Say("           waymark lookup random --network dev")
	out.Say("           waymark query %s ping", first[0])
	out.Answer("%s", strings.TrimSpace(fmt.Sprint(first[0])))
}
