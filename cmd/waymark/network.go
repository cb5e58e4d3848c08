package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
	"github.com/libp2p/go-libp2p/core/protocol"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/internal/cli"
	"github.com/waymark-dht/waymark/validate/ipns"
	"github.com/waymark-dht/waymark/validate/unsigned"
)

// netPlan is what the members of one DHT agree on, and whom to ask first.
type netPlan struct {
	Protocol   protocol.ID
	Seeds      []ma.Multiaddr
	Mode       waymark.Mode
	Namespaces []string
}

// networks are those that have a name.
var networks = map[string]netPlan{
	"amino": {Protocol: waymark.DefaultProtocol, Seeds: []ma.Multiaddr{
		// The public bootstrap peers that Kubo ships (config/bootstrap_peers.go).
		ma.StringCast("/dnsaddr/bootstrap.libp2p.io/p2p/QmNnooDu7bfjPFoTZYxMNLWUQJyrVwtbZg5gBMjTezGAJN"),
		ma.StringCast("/dnsaddr/bootstrap.libp2p.io/p2p/QmbLHAnMoJPWSCR5Zhtx6BHJX9KiKNN6tpvbUcqanj75Nb"),
		ma.StringCast("/dnsaddr/bootstrap.libp2p.io/p2p/QmcZf59bWwK5XFi76CZX8cbJ4BhTzzA3gU1ZjYZcYW3dwt"),
		ma.StringCast("/dnsaddr/va1.bootstrap.libp2p.io/p2p/12D3KooWKnDdG3iXw9eTFijk3EWSunZcFi54Zka4wmtqtt6rPxc8"),
		ma.StringCast("/ip4/104.131.131.82/udp/4001/quic-v1/p2p/QmaCpDMGvV2BGHeYERUEnRQAwe3N8SzbUtfsmvsqQLuvuJ"),
	}},
}

// networkFile is the form of a network on disk.
type networkFile struct {
	Protocol   string   `toml:"protocol"`
	Seeds      []string `toml:"seeds"`
	Mode       string   `toml:"mode"`
	Namespaces []string `toml:"namespaces"`
}

var modes = map[string]waymark.Mode{
	"": waymark.ModeAuto, "auto": waymark.ModeAuto, "client": waymark.ModeClient, "server": waymark.ModeServer,
}

// validators are the rules of the network's namespaces. /ipns has rules of its
// own; the values of the others nobody signs, which a network says of itself.
func (n netPlan) validators() map[string]waymark.Validator {
	rules := map[string]waymark.Validator{ipns.Namespace: ipns.New(nil)}
	for _, space := range n.Namespaces {
		if space != ipns.Namespace && space != "pk" {
			rules[space] = unsigned.Validator{}
		}
	}
	return rules
}

// readNetwork finds a network by its name, or reads its file. The empty name
// is a network of nobody, for seeds that are given by hand.
func readNetwork(name string) (netPlan, error) {
	if name == "" {
		return netPlan{}, nil
	}
	if n, known := networks[name]; known {
		return n, nil
	}
	if name == "dev" {
		file, err := devFile()
		if err != nil {
			return netPlan{}, err
		}
		if _, err := os.Stat(file); err != nil {
			return netPlan{}, trouble("WM-N006", "no development network is running", []string{"there is no " + file}, []string{"waymark serve --dev 20"})
		}
		name = file
	}
	var file networkFile
	meta, err := toml.DecodeFile(name, &file)
	switch {
	case errors.Is(err, fs.ErrNotExist) && !strings.ContainsAny(name, "./"+string(os.PathSeparator)):
		return netPlan{}, unknownNetwork(name)
	case errors.Is(err, fs.ErrNotExist):
		return netPlan{}, trouble("WM-N003", fmt.Sprintf("there is no network file %s", name), []string{reason(err)},
			[]string{"waymark explain WM-N003 shows what such a file holds"})
	case err != nil:
		return netPlan{}, badNetwork(name, tomlReason(err))
	}
	if unknown := meta.Undecoded(); len(unknown) > 0 {
		return netPlan{}, badNetwork(name, fmt.Sprintf("unknown key %s; the keys are protocol, seeds, mode, namespaces", unknown[0]))
	}
	return file.network(name)
}

func (f networkFile) network(name string) (n netPlan, err error) {
	mode, known := modes[f.Mode]
	switch {
	case !known:
		return n, badNetwork(name, fmt.Sprintf("mode %q is none of auto, client, server", f.Mode))
	case f.Protocol != "" && f.Protocol[0] != '/':
		return n, badNetwork(name, fmt.Sprintf("protocol %q does not begin with a slash", f.Protocol))
	}
	for _, space := range f.Namespaces {
		if space == "" || strings.Contains(space, "/") {
			return n, badNetwork(name, fmt.Sprintf("namespace %q is not the first part of a key: the note of /note/greeting", space))
		}
	}
	seeds, err := parsePeers(f.Seeds)
	if t := (*cli.Trouble)(nil); errors.As(err, &t) {
		return n, badNetwork(name, t.What+": "+strings.Join(t.Seen, "; "))
	}
	return netPlan{Protocol: protocol.ID(f.Protocol), Seeds: seeds, Mode: mode, Namespaces: f.Namespaces}, nil
}

// tomlReason is where and what, without the library's name.
func tomlReason(err error) string {
	if at := (toml.ParseError{}); errors.As(err, &at) {
		return fmt.Sprintf("line %d: %s", at.Position.Line, at.Message)
	}
	return strings.TrimPrefix(reason(err), "toml: ")
}

func unknownNetwork(name string) error {
	names := append(slices.Sorted(maps.Keys(networks)), "dev")
	seen := "the network is " + strings.Join(names, ", ") + " or a TOML file"
	if guess := cli.Nearest(name, names); guess != "" {
		seen = "did you mean " + guess + "? " + seen
	}
	return trouble("WM-N003", fmt.Sprintf("there is no network %q", name), []string{seen}, []string{"--network amino"})
}

func badNetwork(file, why string) error {
	return trouble("WM-N004", fmt.Sprintf("the network file %s cannot be used", file), []string{why},
		[]string{"waymark explain WM-N003 shows what such a file holds"})
}
