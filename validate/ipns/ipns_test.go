package ipns

import (
	"testing"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
)

// signed is a record and the key that it belongs under.
func signed(t *testing.T, key crypto.PrivKey, seq uint64, life time.Duration) (string, []byte) {
	t.Helper()
	p, err := path.NewPath("/ipfs/bafkqaaa")
	if err != nil {
		t.Fatal(err)
	}
	r, err := ipns.NewRecord(key, p, seq, time.Now().Add(life), time.Minute)
	if err != nil {
		t.Fatal(err)
	}
	raw, err := ipns.MarshalRecord(r)
	if err != nil {
		t.Fatal(err)
	}
	id, err := peer.IDFromPrivateKey(key)
	if err != nil {
		t.Fatal(err)
	}
	return "/" + Namespace + "/" + string(id), raw
}

func newKey(t *testing.T) crypto.PrivKey {
	t.Helper()
	k, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		t.Fatal(err)
	}
	return k
}

func TestOnlyTheOwnersRecordIsValid(t *testing.T) {
	v, mine, theirs := New(nil), newKey(t), newKey(t)
	name, good := signed(t, mine, 1, time.Hour)
	_, foreign := signed(t, theirs, 1, time.Hour)
	_, old := signed(t, mine, 1, -time.Hour)
	if err := v.Validate(name, good); err != nil {
		t.Error(err)
	}
	for what, bad := range map[string][]byte{"somebody else's": foreign, "expired": old, "none": nil, "cut": good[:len(good)-1]} {
		if v.Validate(name, bad) == nil {
			t.Errorf("%s was taken", what)
		}
	}
}

func TestTheHighestSequenceNumberIsTheBest(t *testing.T) {
	v, key := New(nil), newKey(t)
	name, one := signed(t, key, 1, time.Hour)
	_, two := signed(t, key, 2, time.Hour)
	if best, err := v.Select(name, [][]byte{one, two, one}); best != 1 || err != nil {
		t.Errorf("%d, %v", best, err)
	}
}
