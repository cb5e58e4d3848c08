package waymark

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"slices"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/engine"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/store"
)

// keeper looks after the store: it tells it which records are the node's own,
// has it forget what has expired, and keeps in it whom the node knows, so that a
// restart finds its network without any seed.
type keeper struct {
	*DHT
	lasting bool            // the store outlives the node
	told    bool            // the store knows who the node is
	running context.Context // until stop
	halt    context.CancelFunc
	ended   chan struct{}
}

func newKeeper(d *DHT, lasting bool) *keeper {
	k := &keeper{DHT: d, lasting: lasting, ended: make(chan struct{})}
	k.running, k.halt = context.WithCancel(context.Background())
	return k
}

// loop runs until stop. A store that blocks keeps nobody waiting but this loop,
// and that no longer than params.StoreDeadline.
func (k *keeper) loop() {
	defer close(k.ended)
	k.introduce()
	expire, save := time.NewTicker(params.ExpireEvery), time.NewTicker(params.SaveEvery)
	defer expire.Stop()
	defer save.Stop()
	for {
		select {
		case <-expire.C:
			_, err := guard(k.shelf, k.running, func(ctx context.Context) (int, error) {
				return k.shelf.store.Expire(ctx, k.time.now().Wall)
			})
			k.complain("records that have expired could not be removed", err)
		case <-save.C:
			k.introduce()
			k.save(params.StoreDeadline)
		case <-k.running.Done():
			k.save(params.CloseDeadline / 2)
			return
		}
	}
}

// introduce tells the store who the node is, if it could not be told yet. Until
// then the node's own records are counted as a stranger's.
func (k *keeper) introduce() {
	if k.told {
		return
	}
	err := guarded(k.shelf, k.running, func(ctx context.Context) error {
		return k.shelf.store.Own(ctx, contact.ID(k.host.ID()))
	})
	k.told = err == nil
	k.complain("the store does not know yet which records are the node's own", err)
}

// stop has the loop save once more and end.
func (k *keeper) stop() <-chan struct{} {
	k.halt()
	return k.ended
}

func (k *keeper) complain(what string, err error) {
	if err != nil && !errors.Is(err, context.Canceled) { // else the node is closing
		k.logs.line(what, "error", err.Error())
	}
}

// tableBlob is the name under which the routing table is kept.
const tableBlob = "routing-table"

// keptTable is the routing table as it is kept.
type keptTable struct {
	Version  int           `json:"v"`
	Saved    time.Time     `json:"saved"`
	Contacts []keptContact `json:"contacts"` // those that answered last first
}

type keptContact struct {
	ID       string    `json:"id"`
	Addrs    []string  `json:"addrs"`
	RTT      int64     `json:"rtt_us,omitempty"` // microseconds; 0 is not known
	Answered time.Time `json:"answered"`         // to half a minute
}

// save keeps the table as it is now.
func (k *keeper) save(limit time.Duration) {
	if !k.lasting {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	got := make(chan keptTable, 1)
	if k.mail.ask(func(e *engine.Engine) { got <- k.tableOf(e) }) != nil {
		return
	}
	select {
	case t := <-got:
		if len(t.Contacts) == 0 {
			return // a node that lost everybody keeps whom it knew
		}
		data, err := json.Marshal(t)
		if err == nil {
			err = k.shelf.keepBlob(ctx, tableBlob, data)
		}
		k.complain("the routing table could not be kept", err)
	case <-ctx.Done():
	}
}

// tableOf is what to keep of the engine's table.
func (k *keeper) tableOf(e *engine.Engine) keptTable {
	t := keptTable{Version: 1, Saved: k.time.now().Wall.Time()}
	for c := range e.Known() {
		info := infoOf(c.Info)
		kept := keptContact{ID: info.ID.String(), RTT: c.RTT.Microseconds(), Answered: k.time.date(c.Answered)}
		for _, a := range info.Addrs {
			kept.Addrs = append(kept.Addrs, a.String())
		}
		t.Contacts = append(t.Contacts, kept)
	}
	slices.SortStableFunc(t.Contacts, func(a, b keptContact) int { return b.Answered.Compare(a.Answered) })
	return t
}

// remembered returns whom an earlier node on the same store knew: those that
// answered last first, and of those the fastest. What cannot be read is as good
// as nothing, and is said.
func remembered(s store.Store, complain func(error)) []peer.AddrInfo {
	ctx, cancel := context.WithTimeout(context.Background(), params.StoreDeadline)
	defer cancel()
	type outcome struct {
		data []byte
		err  error
	}
	done := make(chan outcome, 1)
	go func() {
		data, err := s.Blob(ctx, tableBlob)
		done <- outcome{data, err}
	}()
	var o outcome
	select {
	case o = <-done:
	case <-ctx.Done():
		o.err = ctx.Err()
	}
	if o.err == store.ErrNotFound {
		return nil
	}
	var t keptTable
	if o.err == nil {
		o.err = json.Unmarshal(o.data, &t)
	}
	if o.err != nil {
		complain(o.err)
		return nil
	}
	return t.best(params.MaxRemembered)
}

// best returns the contacts that are most likely to answer, and soon.
func (t keptTable) best(n int) (infos []peer.AddrInfo) {
	lately := func(c keptContact) bool { return t.Saved.Sub(c.Answered) < params.RefreshEvery }
	slices.SortStableFunc(t.Contacts, func(a, b keptContact) int {
		switch {
		case lately(a) && lately(b):
			return cmp.Compare(max(a.RTT, 1), max(b.RTT, 1))
		case lately(a):
			return -1
		case lately(b):
			return 1
		}
		return b.Answered.Compare(a.Answered)
	})
	for _, c := range t.Contacts[:min(n, len(t.Contacts))] {
		info := peer.AddrInfo{}
		id, err := peer.Decode(c.ID)
		if err != nil {
			continue
		}
		info.ID = id
		for _, text := range c.Addrs {
			if a, err := ma.NewMultiaddr(text); err == nil {
				info.Addrs = append(info.Addrs, a)
			}
		}
		infos = append(infos, info)
	}
	return infos
}
