package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	"github.com/spf13/cobra"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/internal/cli"
)

// findpeer asks the network for a peer's addresses.
func (a *app) findpeer() *cobra.Command {
	var flags nodeFlags
	cmd := &cobra.Command{
		Use: "findpeer PEER", Short: "the addresses of a peer", GroupID: "ask", Args: wantArgs(1, 1),
		Example: "  waymark findpeer 12D3KooW… --via /ip4/192.0.2.7/tcp/4001/p2p/12D3KooW…",
		RunE: func(cmd *cobra.Command, args []string) error {
			return a.do(cmd.Context(), func(ctx context.Context, out *cli.Out) (ending, error) {
				return runFindPeer(ctx, out, &flags, args[0])
			})
		},
	}
	flags.add(cmd.Flags(), true)
	return cmd
}

// foundLine is what the result line says of a peer that was looked for.
type foundLine struct {
	Peer    peerLine `json:"peer"`
	Elapsed float64  `json:"elapsed_ms"`
	Bound   float64  `json:"bound_ms"`
	Overdue int64    `json:"overdue"`
}

func runFindPeer(ctx context.Context, out *cli.Out, flags *nodeFlags, text string) (end ending, err error) {
	id, err := parsePeerID(text, "findpeer")
	if err != nil {
		return end, err
	}
	v, err := enter(ctx, out, flags, "waymark findpeer "+text+" --network amino")
	if err != nil {
		return end, err
	}
	defer v.Close()
	found, line, err := v.find(ctx, id)
	for _, addr := range line.Peer.Addrs {
		out.Answer("%s/p2p/%s", addr, found.ID)
	}
	return ending{"found", line}, err
}

// find asks the network that the node has joined for a peer.
func (v *visit) find(ctx context.Context, id peer.ID) (found peer.AddrInfo, line foundLine, err error) {
	bound, began := boundOf(ctx, v.dht.Bound(waymark.OpFindPeer)), time.Now()
	v.out.Say("findpeer   %s · ends within %s", cli.ShortID(id.String()), cli.Duration(bound))
	v.begin("findpeer "+cli.ShortID(id.String()), bound)
	v.follow(func() { found, err = v.dht.FindPeer(ctx, id) })
	line = foundLine{peerLineOf(found), ms(time.Since(began)), ms(bound), v.dht.Overdue()}
	if err == nil && len(found.Addrs) == 0 {
		err = waymark.ErrNotFound
	}
	word, outcome := "found", engine.Found
	if err != nil {
		line.Peer = peerLine{ID: id.String(), Addrs: []string{}}
		err = findTrouble(ctx, id, err, v.requests)
		word, outcome = err.Error(), engine.NotFound
	}
	v.out.Summary("%s %s in %s · %s · %s", mark(v.out.ErrStyle(), outcome), word, cli.Duration(time.Since(began)),
		cli.Count(len(found.Addrs), "address"), cli.Count(v.requests, "request"))
	return found, line, err
}

func findTrouble(ctx context.Context, id peer.ID, err error, requests int) error {
	seen := []string{fmt.Sprintf("%s were sent for %s", cli.Count(requests, "request"), id)}
	switch {
	case errors.Is(err, waymark.ErrNotFound):
		return trouble("WM-L003", "peer not found", seen,
			[]string{"check the ID; a peer that is a client or offline is not known to others"})
	case errors.Is(err, waymark.ErrNoPeers):
		return trouble("WM-L001", "the lookup reached nobody", seen, []string{"waymark bootstrap MADDR… shows how each seed fails"})
	case errors.Is(err, context.DeadlineExceeded) && ctx.Err() != context.Canceled:
		return trouble("WM-L002", "the lookup ran out of time", seen, []string{"give it longer (--timeout), or run it again"})
	}
	return err
}

// parsePeerID reads a peer ID as people write it. Verb is the command that
// wants it.
func parsePeerID(text, verb string) (peer.ID, error) {
	id, err := peer.Decode(strings.TrimPrefix(text, "/p2p/"))
	if err != nil {
		why := "it is neither base58 (12D3KooW…, Qm…) nor a CID (k51…, bafz…)"
		next := "waymark " + verb + " 12D3KooW…"
		if addr, ok := infoOf(text); ok {
			why, next = "it is an address, and the ID is what follows /p2p/", "waymark "+verb+" "+addr.ID.String()
		}
		return "", trouble("WM-K002", fmt.Sprintf("%q is not a peer ID", shortenTo(text, 60)), []string{why}, []string{next})
	}
	return id, nil
}

// infoOf reads a text as the address of a peer, if it is one.
func infoOf(text string) (info peer.AddrInfo, ok bool) {
	found, err := peer.AddrInfoFromString(text)
	if err != nil || len(found.Addrs) == 0 {
		return info, false
	}
	return *found, true
}

// infoOfAddr splits the address of a peer.
func infoOfAddr(text string) (peer.AddrInfo, error) {
	addrs, err := parsePeers([]string{text})
	if err != nil {
		return peer.AddrInfo{}, err
	}
	info, err := peer.AddrInfoFromP2pAddr(addrs[0])
	if err != nil {
		return peer.AddrInfo{}, badPeerAddr(text, reason(err))
	}
	return *info, nil
}

// kindOf is the word of a failure within an error's text, for the result line.
func kindOf(err error) string {
	for kind := contact.None + 1; kind.String() != "unknown"; kind++ {
		if strings.Contains(err.Error(), "("+kind.String()+")") {
			return kind.String()
		}
	}
	return "failed"
}
