package main

import (
	"encoding/hex"
	"fmt"
	"math/rand/v2"
	"strings"

	"github.com/ipfs/go-cid"
	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/internal/cli"
)

// keyForms are the ways to write a key, for whoever wrote it another way.
const keyForms = "a key is a peer ID, a CID, a multihash, /namespace/name, hex:… or random"

// parseKey reads a key as people write it and returns the preimage that is
// looked up: FIND_NODE carries it, and the key space hashes it.
func parseKey(text string) (preimage string, err error) {
	if text == "random" {
		var seed [32]byte
		for i := range seed {
			seed[i] = byte(rand.Uint32())
		}
		return randomPreimage(seed), nil
	}
	if digits, ok := strings.CutPrefix(text, "hex:"); ok {
		raw, err := hex.DecodeString(digits)
		if err != nil || len(raw) == 0 {
			return "", badKey(text, "after hex: come pairs of hexadecimal digits, at least one")
		}
		return string(raw), nil
	}
	if name, ok := strings.CutPrefix(text, "/"); ok {
		return nameKey(text, name)
	}
	if id, err := peer.Decode(text); err == nil {
		return string(id), nil // also the base58 form of any multihash
	}
	if c, err := cid.Decode(text); err == nil {
		return string(c.Hash()), nil
	}
	if hash, err := mh.FromB58String(text); err == nil {
		return string(hash), nil
	}
	return "", badKey(text, keyForms)
}

// nameKey reads /namespace/name. The records of peers are kept under the raw
// bytes of the ID, which people write as text.
func nameKey(text, name string) (string, error) {
	space, rest, cut := strings.Cut(name, "/")
	if !cut || space == "" || rest == "" {
		return "", badKey(text, "a name has a namespace and a rest: /pk/…, /ipns/…")
	}
	if id, err := peer.Decode(rest); err == nil && (space == "pk" || space == "ipns") {
		return "/" + space + "/" + string(id), nil
	}
	return text, nil
}

func badKey(text, why string) *cli.Trouble {
	if text == "" {
		why = keyForms
	}
	if cli.Nearest(text, []string{"random"}) != "" {
		why = "did you mean random? " + why
	}
	return trouble("WM-K001", fmt.Sprintf("%q is not a key", shortenTo(text, 60)), []string{why}, []string{"waymark lookup random"})
}

// shortenTo keeps a line of evidence a line.
func shortenTo(text string, most int) string {
	if runes := []rune(text); len(runes) > most {
		return string(runes[:most]) + "…"
	}
	return text
}

// randomPreimage is a sha2-256 multihash, the one form that every deployed
// server takes as the key of FIND_NODE.
func randomPreimage(digest [32]byte) string {
	return string([]byte{mh.SHA2_256, 32}) + string(digest[:])
}
