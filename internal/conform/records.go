package conform

import (
	"bytes"
	"fmt"
	"strings"
	"sync"
	"time"

	"github.com/ipfs/boxo/ipns"
	"github.com/ipfs/boxo/path"
	"github.com/libp2p/go-libp2p/core/crypto"
	"github.com/libp2p/go-libp2p/core/peer"
	mh "github.com/multiformats/go-multihash"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/record"
	"github.com/waymark-dht/waymark/core/wire"
)

// recordCases try to have the target keep and serve what nobody may believe.
var recordCases = []Case{
	{Name: "valid-record", Group: "records", About: "a valid /pk record, for comparison", run: validRecord},
	{Name: "pk-of-another", Group: "records", About: "under the name of one peer the public key of another", run: poisons(pkOfAnother)},
	{Name: "pk-garbage", Group: "records", About: "under the name of a peer what is no key", run: poisons(pkGarbage)},
	{Name: "ipns-forged", Group: "records", About: "under the name of one key an /ipns record that another signed", run: poisons(ipnsForged)},
	{Name: "ipns-garbage", Group: "records", About: "an /ipns record that is none", run: poisons(ipnsGarbage)},
	{Name: "unknown-namespace", Group: "records", About: "a value under a namespace whose rules nobody knows", run: unknownNamespace},
	{Name: "mismatched-key", Group: "records", About: "a PUT_VALUE under another key than its record's", run: mismatchedKey},
	{Name: "oversize-record", Group: "records", About: "a value of 1 MiB", run: oversizeRecord},
	{Name: "record-of-the-future", Group: "records", About: "a valid record that says it was received in the year 9999", run: futureRecord},
	{Name: "replacing-by-worse", Group: "records", About: "what is no key, in the place of a valid /pk record", run: replacingByWorse},
	{Name: "get-absent", Group: "records", About: "a GET_VALUE for what is not there", run: getAbsent},
	{Name: "announced-by-another", Group: "records", About: "announces somebody else as a provider", run: announcedByAnother},
	{Name: "announced-without-address", Group: "records", About: "announces itself without an address", run: announcedBare},
	{Name: "announced-by-itself", Group: "records", About: "announces itself, for comparison", run: announcedBySelf},
	{Name: "providers-absent", Group: "records", About: "a GET_PROVIDERS for what nobody provides", run: providersAbsent},
}

// keyring holds RSA keys, whose peer IDs do not hold them: js-libp2p takes /pk
// records of no others.
type keyring struct {
	once sync.Once
	pub  [4][]byte // the last two are stored with nobody
	id   [4]peer.ID
	err  error
}

const rsaBits = 2048

func (k *keyring) make() error {
	k.once.Do(func() {
		for i := range k.pub {
			var pub crypto.PubKey
			if _, pub, k.err = crypto.GenerateKeyPair(crypto.RSA, rsaBits); k.err != nil {
				return
			}
			if k.pub[i], k.err = crypto.MarshalPublicKey(pub); k.err != nil {
				return
			}
			if k.id[i], k.err = peer.IDFromPublicKey(pub); k.err != nil {
				return
			}
		}
	})
	return k.err
}

// pk is the valid record of one of the keys.
func (t *try) pk(i int) (*record.Record, error) {
	err := t.keys.make()
	return &record.Record{Key: []byte("/pk/" + string(t.keys.id[i])), Value: t.keys.pub[i]}, err
}

// put offers a record as a fresh peer.
func (t *try) put(key []byte, r *record.Record) (reaction, wire.Message, bool) {
	_, s, ok := t.opened()
	if !ok {
		return 0, wire.Message{}, false
	}
	if err := s.send(message(wire.Message{Type: wire.PutValue, Key: key, Record: r})); err != nil && reactionOf(err) == waits {
		t.fail("takes no record: %v", err)
		return 0, wire.Message{}, false
	}
	got, m := s.react(answerLimit)
	return got, m, true
}

// get asks for a value as a fresh peer.
func (t *try) get(key []byte) (*record.Record, bool) {
	_, s, ok := t.opened()
	if !ok {
		return nil, false
	}
	m, err := s.ask(message(wire.Message{Type: wire.GetValue, Key: key}), answerLimit)
	if err != nil {
		t.fail("does not answer GET_VALUE: %v", brief(err))
		return nil, false
	}
	return m.Record, true
}

func validRecord(t *try) {
	r, err := t.pk(0)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	got, _, ok := t.put(r.Key, r)
	if !ok {
		return
	}
	t.saw("PUT_VALUE: %v", got)
	if got != answers {
		t.warn("does not keep a valid /pk record")
		return
	}
	if back, ok := t.get(r.Key); ok && (back == nil || !bytes.Equal(back.Value, r.Value)) {
		t.warn("does not serve what it acknowledged")
	}
}

// poisons offers an invalid record, and fails if the target serves it.
func poisons(make func(*try) (*record.Record, error)) func(*try) {
	return func(t *try) {
		r, err := make(t)
		if err != nil {
			t.skip("this machine: %v", err)
			return
		}
		got, _, ok := t.put(r.Key, r)
		if !ok {
			return
		}
		t.saw("PUT_VALUE: %v", got)
		back, ok := t.get(r.Key)
		switch {
		case !ok:
		case back != nil && bytes.Equal(back.Value, r.Value):
			t.fail("serves a record that is not valid")
		case got == answers:
			t.warn("acknowledged a record that it does not keep")
		case got == waits:
			t.warn("neither answered nor ended the stream")
		}
	}
}

func pkOfAnother(t *try) (*record.Record, error) {
	r, err := t.pk(0)
	if err != nil {
		return nil, err
	}
	other, err := t.pk(1)
	return &record.Record{Key: other.Key, Value: r.Value}, err
}

func pkGarbage(t *try) (*record.Record, error) {
	r, err := t.pk(1)
	if err != nil {
		return nil, err
	}
	r.Value = noise(64)
	return r, nil
}

func ipnsGarbage(t *try) (*record.Record, error) {
	err := t.keys.make()
	return &record.Record{Key: []byte("/ipns/" + string(t.keys.id[0])), Value: noise(200)}, err
}

// ipnsForged is a record that is whole and well signed, by another key than its
// name's.
func ipnsForged(t *try) (*record.Record, error) {
	key, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		return nil, err
	}
	victim, err := peer.IDFromPublicKey(key.GetPublic())
	if err != nil {
		return nil, err
	}
	forger, _, err := crypto.GenerateEd25519Key(nil)
	if err != nil {
		return nil, err
	}
	to, err := path.NewPath("/ipfs/bafkqaaa")
	if err != nil {
		return nil, err
	}
	r, err := ipns.NewRecord(forger, to, 1, time.Now().Add(time.Hour), time.Minute, ipns.WithPublicKey(true))
	if err != nil {
		return nil, err
	}
	value, err := ipns.MarshalRecord(r)
	return &record.Record{Key: []byte("/ipns/" + string(victim)), Value: value}, err
}

func unknownNamespace(t *try) {
	r := &record.Record{Key: []byte("/conform-of-nobody/key"), Value: []byte("value")}
	got, _, ok := t.put(r.Key, r)
	if !ok {
		return
	}
	t.saw("PUT_VALUE: %v", got)
	if back, ok := t.get(r.Key); ok && back != nil {
		t.warn("keeps and serves values that it cannot judge")
	}
}

func mismatchedKey(t *try) {
	r, err := t.pk(1)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	key := []byte("/pk/" + string(t.keys.id[2]))
	got, _, ok := t.put(key, r)
	if !ok {
		return
	}
	t.saw("PUT_VALUE: %v", got)
	back, ok := t.get(key)
	switch {
	case !ok:
	case back != nil:
		t.fail("serves a record under another key than its own")
	case got == answers:
		t.warn("takes a record under another key than the message's")
	}
}

func oversizeRecord(t *try) {
	key := []byte("/pk/" + string(t.target))
	got, _, ok := t.put(key, &record.Record{Key: key, Value: make([]byte, bigRecord)})
	if !ok {
		return
	}
	t.saw("PUT_VALUE: %v", got)
	if back, ok := t.get(key); ok && back != nil && len(back.Value) == bigRecord {
		t.fail("serves a record that is not valid")
	}
	if got == waits {
		t.warn("neither answered nor ended the stream")
	}
}

// futureRecord looks whether the date of a stranger counts, which would keep a
// record for ever.
func futureRecord(t *try) {
	const year = "9999"
	r, err := t.pk(1)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	r.TimeReceived = year + "-12-31T23:59:59Z"
	got, _, ok := t.put(r.Key, r)
	if !ok {
		return
	}
	t.saw("PUT_VALUE: %v", got)
	if back, ok := t.get(r.Key); ok && back != nil && bytes.HasPrefix([]byte(back.TimeReceived), []byte(year)) {
		t.warn("serves the date that a stranger gave")
	}
}

func replacingByWorse(t *try) {
	good, err := t.pk(0)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	if got, _, ok := t.put(good.Key, good); !ok || got != answers {
		t.skip("it keeps no valid /pk record that could be replaced")
		return
	}
	got, _, ok := t.put(good.Key, &record.Record{Key: good.Key, Value: noise(64)})
	if !ok {
		return
	}
	t.saw("PUT_VALUE: %v", got)
	if back, ok := t.get(good.Key); ok && (back == nil || !bytes.Equal(back.Value, good.Value)) {
		t.fail("lost a valid record to an invalid one")
	}
}

func getAbsent(t *try) {
	absent, err := t.pk(3)
	if err != nil {
		t.skip("this machine: %v", err)
		return
	}
	if r, ok := t.get(absent.Key); ok && r != nil {
		t.fail("answers with a record that nobody stored")
	} else if ok {
		t.saw("answered without a record")
	}
}

func multihash(content string) []byte {
	h, err := mh.Sum([]byte(content), mh.SHA2_256, -1)
	if err != nil {
		panic(err) // it can hash a text
	}
	return h
}

// announce sends an ADD_PROVIDER, and reports what GET_PROVIDERS names after it.
func (t *try) announce(content string, who func(*client) *contact.Info) (providers []contact.ID, me contact.ID, ok bool) {
	c, s, ok := t.opened()
	if !ok {
		return nil, "", false
	}
	frame := message(wire.Message{Type: wire.AddProvider, Key: multihash(content), Providers: []wire.Peer{{Contact: who(c)}}})
	if err := s.send(frame); err != nil {
		t.fail("takes no ADD_PROVIDER: %v", brief(err))
		return nil, "", false
	}
	me = contact.ID(c.host.ID())
	for end := time.Now().Add(announceWait); ; {
		if providers, ok = t.providers(content); !ok || len(providers) > 0 || time.Now().After(end) {
			return providers, me, ok
		}
		pause(t.ctx, tick)
	}
}

// providers asks who provides some content.
func (t *try) providers(content string) (ids []contact.ID, ok bool) {
	_, s, ok := t.opened()
	if !ok {
		return nil, false
	}
	m, err := s.ask(message(wire.Message{Type: wire.GetProviders, Key: multihash(content)}), answerLimit)
	if err != nil {
		t.fail("does not answer GET_PROVIDERS: %v", brief(err))
		return nil, false
	}
	for _, p := range m.Providers {
		ids = append(ids, p.Contact.ID)
	}
	return ids, true
}

func announcedByAnother(t *try) {
	got, _, ok := t.announce("of another", func(*client) *contact.Info { return t.forged("victim", 1)[0].Contact })
	if ok && len(got) > 0 {
		t.fail("names a provider that did not announce itself")
	} else if ok {
		t.saw("names no provider")
	}
}

func announcedBare(t *try) {
	t.announces("bare", func(c *client) *contact.Info { return contact.New(contact.ID(c.host.ID())) }, func() { t.saw("names no provider") })
}

func announcedBySelf(t *try) {
	t.announces("of its own", func(c *client) *contact.Info { return infoOf(c.host, t.nowhere()) }, func() { t.warn("does not name who announced itself") })
}

// announces has a peer announce itself in some way; it has to be the one that is
// named. What is to be said of a target that names nobody depends on the way.
func (t *try) announces(how string, as func(*client) *contact.Info, nobody func()) {
	got, me, ok := t.announce(how, as)
	switch {
	case !ok:
	case len(got) == 0:
		nobody()
	case got[0] != me:
		t.fail("names somebody else")
	default:
		t.saw("names it")
	}
}

func providersAbsent(t *try) {
	if got, ok := t.providers("nobody has this"); ok && len(got) > 0 {
		t.fail("names %d providers of what nobody provides", len(got))
	} else if ok {
		t.saw("names no provider")
	}
}

// brief is an error in one line that is not too long.
func brief(err error) string {
	text := strings.Join(strings.Fields(fmt.Sprint(err)), " ")
	if len(text) > briefly {
		text = strings.ToValidUTF8(text[:briefly], "") + "…"
	}
	return text
}
