package main

import (
	"encoding/base64"
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
const (
	keyForms     = "a key is a peer ID, a CID, a multihash, /namespace/name, hex:…, base64:…, text:… or random"
	nameForms    = "a value's key has a namespace and a name: /note/greeting, /ipns/12D3KooW…"
	contentForms = "content is named by a CID (bafy…, Qm…), a multihash in base58, or one as hex:… or base64:…"
)

// exampleCID stands for content in what we suggest.
const exampleCID = "bafybeigdyrzt5sfp7udm7hu76uh7y26nf3efuylqabf3oclgtqy55fbzdi"

// parseKey reads a key as people write it and returns the preimage that is
// looked up: FIND_NODE carries it, and the key space hashes it. Next is the
// command to suggest if it cannot be read.
func parseKey(text, next string) (preimage string, err error) {
	if text == "random" {
		var seed [32]byte
		for i := range seed {
			seed[i] = byte(rand.Uint32())
		}
		return randomPreimage(seed), nil
	}
	if raw, spelt, err := spelled(text, next); spelt {
		return string(raw), err
	}
	if words, ok := strings.CutPrefix(text, "text:"); ok && words != "" {
		return words, nil
	}
	if strings.HasPrefix(text, "/") {
		return nameKey(text, next)
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
	return "", badKey(text, keyForms, next)
}

// spelled reads bytes that are spelt out, and says whether the text does so.
func spelled(text, next string) (raw []byte, spelt bool, err error) {
	if digits, ok := strings.CutPrefix(text, "hex:"); ok {
		if raw, err = hex.DecodeString(digits); err != nil || len(raw) == 0 {
			err = badKey(text, "after hex: come pairs of hexadecimal digits, at least one", next)
		}
		return raw, true, err
	}
	if letters, ok := strings.CutPrefix(text, "base64:"); ok {
		letters = strings.NewReplacer("-", "+", "_", "/").Replace(strings.TrimRight(letters, "="))
		if raw, err = base64.RawStdEncoding.DecodeString(letters); err != nil || len(raw) == 0 {
			err = badKey(text, "after base64: come its letters, of the standard or the URL alphabet", next)
		}
		return raw, true, err
	}
	return nil, false, nil
}

// nameKey reads /namespace/name. The records of peers are kept under the raw
// bytes of the ID, which people write as text.
func nameKey(text, next string) (string, error) {
	if info, ok := infoOf(text); ok {
		return "", badKey(text, "it is the address of a peer; the peer's ID is a key: "+info.ID.String(), next)
	}
	space, rest, cut := strings.Cut(strings.TrimPrefix(text, "/"), "/")
	if !cut || space == "" || rest == "" {
		return "", badKey(text, nameForms, next)
	}
	if id, err := peer.Decode(rest); err == nil && (space == "pk" || space == "ipns") {
		return "/" + space + "/" + string(id), nil
	}
	return text, nil
}

func badKey(text, why, next string) *cli.Trouble {
	if why == keyForms && cli.Nearest(text, []string{"random"}) != "" {
		why = "did you mean random? " + why
	}
	return trouble("WM-K001", fmt.Sprintf("%q is not a key", shortenTo(text, 60)), []string{why}, []string{next})
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
