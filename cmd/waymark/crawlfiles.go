package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"github.com/libp2p/go-libp2p/core/peer"
	ma "github.com/multiformats/go-multiaddr"

	"github.com/waymark-dht/waymark"
	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/crawl"
)

// folder is where a crawl is kept: peers.ndjson, and edges.ndjson if wanted. The
// empty folder keeps nothing.
type folder struct {
	dir   string
	edges bool
	done  []crawl.Peer    // of the crawl that is to be gone on with
	left  []*contact.Info // and whom it had not visited
	agent map[contact.ID]string
}

// peerRecord is one line of peers.ndjson, and the body of the event of a peer.
type peerRecord struct {
	Peer   string   `json:"peer"`
	Addrs  []string `json:"addrs"`
	State  string   `json:"state"` // answered, failed or left
	Agent  string   `json:"agent,omitempty"`
	RTT    float64  `json:"rtt_ms,omitempty"`
	Asks   int      `json:"asks,omitempty"`
	Named  int      `json:"named,omitempty"`
	Whole  bool     `json:"whole,omitempty"` // its whole table was learnt
	Class  string   `json:"class,omitempty"`
	Detail string   `json:"detail,omitempty"`
}

// edgeRecord is one line of edges.ndjson.
type edgeRecord struct {
	Peer  string   `json:"peer"`
	Named []string `json:"named"`
}

func peerRecordOf(p crawl.Peer, agent string) peerRecord {
	line := peerLineOf(waymark.InfoOf(p.Info))
	r := peerRecord{
		Peer: line.ID, Addrs: line.Addrs, State: "failed", Agent: agent, RTT: ms(p.RTT), Asks: p.Asks, Named: p.Named, Whole: p.Whole,
	}
	if p.Answered {
		r.State = "answered"
	}
	if p.Failure != contact.None {
		r.Class, r.Detail = p.Failure.String(), p.Detail
	}
	return r
}

// peer is what a line says, or false if it is none.
func (r peerRecord) peer() (p crawl.Peer, ok bool) {
	id, err := peer.Decode(r.Peer)
	if err != nil {
		return p, false
	}
	info := peer.AddrInfo{ID: id}
	for _, text := range r.Addrs {
		if a, err := ma.NewMultiaddr(text); err == nil {
			info.Addrs = append(info.Addrs, a)
		}
	}
	if p.Info, err = waymark.ContactOf(info); err != nil {
		return p, false
	}
	p.Answered, p.Named, p.Whole, p.Asks = r.State == "answered", r.Named, r.Whole, r.Asks
	p.RTT, p.Detail = time.Duration(r.RTT*float64(time.Millisecond)), r.Detail
	for kind := contact.None + 1; kind.String() != "unknown"; kind++ {
		if kind.String() == r.Class {
			p.Failure = kind
		}
	}
	return p, true
}

// openFolder makes the folder and reads what is in it if that is to be gone on
// with: before anything is sent.
func openFolder(dir string, edges, resume bool) (*folder, error) {
	f := &folder{dir: dir, edges: edges, agent: make(map[contact.ID]string)}
	if dir == "" {
		if resume {
			return nil, trouble("WM-C005", "--resume wants the folder of a crawl", []string{"-o is missing"}, []string{"waymark crawl -o crawl --resume"})
		}
		return f, nil
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return nil, unwritable(dir, err)
	}
	if !resume {
		return f, nil
	}
	content, err := os.ReadFile(f.file("peers"))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, trouble("WM-C005", "there is no crawl to go on with", []string{reason(err)}, []string{"leave --resume out"})
	}
	if err == nil {
		err = f.read(content)
	}
	if err != nil {
		return nil, trouble("WM-C005", "the crawl in the folder cannot be gone on with", []string{reason(err)}, []string{"leave --resume out, or take another folder"})
	}
	return f, nil
}

func unwritable(path string, err error) error {
	return trouble("WM-C004", "the crawl's files could not be written", []string{reason(err)}, []string{"-o names a folder that you may write to, as -o crawl; it was " + path})
}

func (f *folder) file(name string) string { return filepath.Join(f.dir, name+".ndjson") }

// read takes in the peers of an earlier crawl, and whom they knew.
func (f *folder) read(content []byte) error {
	at := make(map[string]int)
	err := eachLine(content, func(n int, line []byte) error {
		var r peerRecord
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("line %d of %s: %w", n, f.file("peers"), err)
		}
		p, ok := r.peer()
		switch {
		case !ok:
			return fmt.Errorf("line %d of %s: %q is no peer", n, f.file("peers"), r.Peer)
		case r.State == "left":
			f.left = append(f.left, p.Info)
		default:
			at[r.Peer] = len(f.done)
			f.done = append(f.done, p)
			f.agent[p.Info.ID] = r.Agent
		}
		return nil
	})
	if err != nil || !f.edges {
		return err
	}
	content, err = os.ReadFile(f.file("edges"))
	if err != nil {
		return err
	}
	return eachLine(content, func(n int, line []byte) error {
		var r edgeRecord
		if err := json.Unmarshal(line, &r); err != nil {
			return fmt.Errorf("line %d of %s: %w", n, f.file("edges"), err)
		}
		i, known := at[r.Peer]
		if !known {
			return nil
		}
		for _, text := range r.Named {
			if id, err := peer.Decode(text); err == nil {
				f.done[i].Edges = append(f.done[i].Edges, contact.ID(id))
			}
		}
		return nil
	})
}

// eachLine calls f with each line and its number.
func eachLine(content []byte, f func(n int, line []byte) error) error {
	for n, line := range bytes.Split(content, []byte("\n")) {
		if len(line) == 0 {
			continue
		}
		if err := f(n+1, line); err != nil {
			return err
		}
	}
	return nil
}

// files are the names of what was written.
func (f *folder) files() []string {
	switch {
	case f.dir == "":
		return []string{}
	case f.edges:
		return []string{f.file("peers"), f.file("edges")}
	}
	return []string{f.file("peers")}
}

// write keeps a crawl, whole or not at all.
func (f *folder) write(r crawl.Result, agents map[contact.ID]string) error {
	if f.dir == "" {
		return nil
	}
	err := writeLines(f.file("peers"), func(put func(any) error) error {
		for _, p := range r.Peers {
			if err := put(peerRecordOf(p, agents[p.Info.ID])); err != nil {
				return err
			}
		}
		for _, info := range r.Left {
			line := peerLineOf(waymark.InfoOf(info))
			if err := put(peerRecord{Peer: line.ID, Addrs: line.Addrs, State: "left"}); err != nil {
				return err
			}
		}
		return nil
	})
	if err == nil && f.edges {
		err = writeLines(f.file("edges"), func(put func(any) error) error {
			for _, p := range r.Answered() {
				line := edgeRecord{Peer: idOf(p.Info), Named: []string{}}
				for _, id := range p.Edges {
					line.Named = append(line.Named, peer.ID(id).String())
				}
				if err := put(line); err != nil {
					return err
				}
			}
			return nil
		})
	}
	if err != nil {
		return unwritable(f.dir, err)
	}
	return nil
}

// writeLines writes a file of JSON lines beside the old one, and then takes its
// place.
func writeLines(path string, fill func(put func(any) error) error) error {
	file, err := os.Create(path + ".new")
	if err != nil {
		return err
	}
	w := bufio.NewWriter(file)
	enc := json.NewEncoder(w)
	enc.SetEscapeHTML(false)
	if err = fill(enc.Encode); err == nil {
		err = w.Flush()
	}
	if err = errors.Join(err, file.Close()); err != nil {
		return errors.Join(err, os.Remove(path+".new"))
	}
	return os.Rename(path+".new", path)
}
