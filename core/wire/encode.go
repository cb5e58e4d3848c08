package wire

import (
	"iter"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// clusterLevel is sent in every message: level 0, written as 1 so that it
// cannot be mistaken for a missing one. Receivers ignore it.
const clusterLevel = 1

// All addresses that may be sent of one peer fit in what others read of one:
// this does not compile otherwise.
const _ = uint(params.MaxPeerAddrs - params.MaxAddrs*params.MaxAddrLen)

// Append appends the encoding of m, in ascending order of fields; as in every
// proto3 encoding, a field that is zero or empty is left out.
func Append(dst []byte, m *Message) []byte {
	dst = appendVarint(dst, tagType, uint64(m.Type))
	dst = appendBytes(dst, tagKey, m.Key)
	if m.Record != nil {
		dst = appendRecord(dst, m.Record)
	}
	dst = appendPeers(dst, tagCloser, m.Closer)
	dst = appendPeers(dst, tagProviders, m.Providers)
	return appendVarint(dst, tagCluster, clusterLevel)
}

// Size returns the length of what Append appends.
func Size(m *Message) int {
	n := sizeVarint(uint64(m.Type)) + sizeBytes(len(m.Key)) + sizeVarint(clusterLevel)
	if m.Record != nil {
		n += 1 + protowire.SizeBytes(sizeRecord(m.Record))
	}
	return n + sizePeers(m.Closer) + sizePeers(m.Providers)
}

func appendRecord(dst []byte, r *record.Record) []byte {
	dst = append(dst, byte(tagRecord))
	dst = protowire.AppendVarint(dst, uint64(sizeRecord(r)))
	dst = appendBytes(dst, tagRecordKey, r.Key)
	dst = appendBytes(dst, tagRecordValue, r.Value)
	dst = appendBytes(dst, tagRecordTime, r.TimeReceived)
	if r.Publisher != "" {
		dst = protowire.AppendVarint(dst, tagRecordPublisher)
		dst = protowire.AppendString(dst, string(r.Publisher))
	}
	if r.TTL != 0 {
		dst = protowire.AppendVarint(dst, tagRecordTTL)
		dst = protowire.AppendVarint(dst, uint64(r.TTL))
	}
	return dst
}

func sizeRecord(r *record.Record) int {
	n := sizeBytes(len(r.Key)) + sizeBytes(len(r.Value)) + sizeBytes(len(r.TimeReceived))
	if r.Publisher != "" {
		n += protowire.SizeVarint(tagRecordPublisher) + protowire.SizeBytes(len(r.Publisher))
	}
	if r.TTL != 0 {
		n += protowire.SizeVarint(tagRecordTTL) + protowire.SizeVarint(uint64(r.TTL))
	}
	return n
}

func appendPeers(dst []byte, tag uint64, list []Peer) []byte {
	for _, p := range list {
		dst = append(dst, byte(tag))
		dst = protowire.AppendVarint(dst, uint64(sizePeer(p)))
		dst = AppendContact(dst, p.Contact)
		dst = appendVarint(dst, tagConnection, uint64(p.Connection))
	}
	return dst
}

func sizePeers(list []Peer) (n int) {
	for _, p := range list {
		n += 1 + protowire.SizeBytes(sizePeer(p))
	}
	return n
}

// SizeListed returns what one more entry in either list of peers adds to a
// message.
func SizeListed(p Peer) int { return 1 + protowire.SizeBytes(sizePeer(p)) }

func sizePeer(p Peer) int { return sizeContact(p.Contact) + sizeVarint(uint64(p.Connection)) }

// EncodeContact returns what to keep as info's Wire, so that a contact that is
// served often is encoded once.
func EncodeContact(info *contact.Info) []byte {
	return AppendContact(make([]byte, 0, sizeContact(info)), info)
}

// AppendContact appends the encoding of a contact: its ID and the addresses
// that others will read. It copies info.Wire if that is there.
func AppendContact(dst []byte, info *contact.Info) []byte {
	if info.Wire != nil {
		return append(dst, info.Wire...)
	}
	dst = appendBytes(dst, tagPeerID, info.ID)
	for a := range sendable(info.Addrs) {
		dst = appendBytes(dst, tagPeerAddr, a)
	}
	return dst
}

func sizeContact(info *contact.Info) int {
	if info.Wire != nil {
		return len(info.Wire)
	}
	n := sizeBytes(len(info.ID))
	for a := range sendable(info.Addrs) {
		n += sizeBytes(len(a))
	}
	return n
}

// sendable yields the addresses that are sent: those that we would also read.
func sendable(addrs []contact.Addr) iter.Seq[contact.Addr] {
	return func(yield func(contact.Addr) bool) {
		sent := 0
		for _, a := range addrs {
			if len(a) == 0 || len(a) > params.MaxAddrLen {
				continue
			}
			if sent++; sent > params.MaxAddrs || !yield(a) {
				return
			}
		}
	}
}

// Every tag of the schema is a single byte, hence the ones below.

func appendVarint(dst []byte, tag, v uint64) []byte {
	if v == 0 {
		return dst
	}
	return protowire.AppendVarint(append(dst, byte(tag)), v)
}

func sizeVarint(v uint64) int {
	if v == 0 {
		return 0
	}
	return 1 + protowire.SizeVarint(v)
}

func appendBytes[T ~string | ~[]byte](dst []byte, tag uint64, v T) []byte {
	if len(v) == 0 {
		return dst
	}
	dst = protowire.AppendVarint(append(dst, byte(tag)), uint64(len(v)))
	return append(dst, v...)
}

func sizeBytes(n int) int {
	if n == 0 {
		return 0
	}
	return 1 + protowire.SizeBytes(n)
}
