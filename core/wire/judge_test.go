package wire

import (
	"bytes"
	"errors"
	"testing"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/descriptorpb"
	"google.golang.org/protobuf/types/dynamicpb"
	"pgregory.net/rapid"

	"github.com/waymark-dht/waymark/core/contact"
	"github.com/waymark-dht/waymark/core/params"
	"github.com/waymark-dht/waymark/core/record"
)

// The judge is Google's protobuf library with the published schema: it has
// never seen this package's idea of the format.
var judgeMessage, judgePeer, judgeRecord = func() (m, p, r protoreflect.MessageDescriptor) {
	file, err := protodesc.NewFile(schema(), nil)
	if err != nil {
		panic(err)
	}
	all := file.Messages()
	return all.ByName("Message"), all.ByName("Peer"), all.ByName("Record")
}()

// schema is dht.proto and record.proto of the libp2p specification.
func schema() *descriptorpb.FileDescriptorProto {
	const (
		number = descriptorpb.FieldDescriptorProto_TYPE_INT32
		octets = descriptorpb.FieldDescriptorProto_TYPE_BYTES
		text   = descriptorpb.FieldDescriptorProto_TYPE_STRING
		enum   = descriptorpb.FieldDescriptorProto_TYPE_ENUM
		nested = descriptorpb.FieldDescriptorProto_TYPE_MESSAGE
		one    = descriptorpb.FieldDescriptorProto_LABEL_OPTIONAL
		many   = descriptorpb.FieldDescriptorProto_LABEL_REPEATED
	)
	type kind = descriptorpb.FieldDescriptorProto_Type
	field := func(name string, n int32, k kind, l descriptorpb.FieldDescriptorProto_Label, of string) *descriptorpb.FieldDescriptorProto {
		f := &descriptorpb.FieldDescriptorProto{Name: &name, Number: &n, Type: k.Enum(), Label: l.Enum()}
		if of != "" {
			f.TypeName = proto.String(of)
		}
		return f
	}
	message := func(name string, fields ...*descriptorpb.FieldDescriptorProto) *descriptorpb.DescriptorProto {
		return &descriptorpb.DescriptorProto{Name: &name, Field: fields}
	}
	enumeration := func(name string, values ...string) *descriptorpb.EnumDescriptorProto {
		e := &descriptorpb.EnumDescriptorProto{Name: &name}
		for i, v := range values {
			e.Value = append(e.Value, &descriptorpb.EnumValueDescriptorProto{Name: proto.String(v), Number: proto.Int32(int32(i))})
		}
		return e
	}
	return &descriptorpb.FileDescriptorProto{
		Name: proto.String("dht.proto"), Package: proto.String("dht"), Syntax: proto.String("proto3"),
		EnumType: []*descriptorpb.EnumDescriptorProto{
			enumeration("MessageType", "PUT_VALUE", "GET_VALUE", "ADD_PROVIDER", "GET_PROVIDERS", "FIND_NODE", "PING"),
			enumeration("ConnectionType", "NOT_CONNECTED", "CONNECTED", "CAN_CONNECT", "CANNOT_CONNECT"),
		},
		MessageType: []*descriptorpb.DescriptorProto{
			message("Record", field("key", 1, octets, one, ""), field("value", 2, octets, one, ""), field("timeReceived", 5, text, one, "")),
			message("Peer", field("id", 1, octets, one, ""), field("addrs", 2, octets, many, ""), field("connection", 3, enum, one, ".dht.ConnectionType")),
			message(
				"Message", field("type", 1, enum, one, ".dht.MessageType"), field("key", 2, octets, one, ""),
				field("record", 3, nested, one, ".dht.Record"), field("closerPeers", 8, nested, many, ".dht.Peer"),
				field("providerPeers", 9, nested, many, ".dht.Peer"), field("clusterLevelRaw", 10, number, one, ""),
			),
		},
	}
}

// judgeBytes encodes m as the judge does.
func judgeBytes(t failer, m *Message) []byte {
	d := dynamicpb.NewMessage(judgeMessage)
	set(d, "type", protoreflect.ValueOfEnum(protoreflect.EnumNumber(m.Type)))
	set(d, "key", protoreflect.ValueOfBytes(m.Key))
	set(d, "clusterLevelRaw", protoreflect.ValueOfInt32(1))
	if m.Record != nil {
		r := dynamicpb.NewMessage(judgeRecord)
		set(r, "key", protoreflect.ValueOfBytes(m.Record.Key))
		set(r, "value", protoreflect.ValueOfBytes(m.Record.Value))
		set(r, "timeReceived", protoreflect.ValueOfString(m.Record.TimeReceived))
		set(d, "record", protoreflect.ValueOfMessage(r))
	}
	judgePeers(d, "closerPeers", m.Closer)
	judgePeers(d, "providerPeers", m.Providers)
	b, err := proto.MarshalOptions{Deterministic: true}.Marshal(d)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func judgePeers(d *dynamicpb.Message, name protoreflect.Name, peers []Peer) {
	list := d.Mutable(judgeMessage.Fields().ByName(name)).List()
	for _, p := range peers {
		e := dynamicpb.NewMessage(judgePeer)
		set(e, "id", protoreflect.ValueOfBytes([]byte(p.Contact.ID)))
		set(e, "connection", protoreflect.ValueOfEnum(protoreflect.EnumNumber(p.Connection)))
		addrs := e.Mutable(judgePeer.Fields().ByName("addrs")).List()
		for _, a := range p.Contact.Addrs {
			addrs.Append(protoreflect.ValueOfBytes([]byte(a)))
		}
		list.Append(protoreflect.ValueOfMessage(e))
	}
}

func set(d *dynamicpb.Message, name protoreflect.Name, v protoreflect.Value) {
	d.Set(d.Descriptor().Fields().ByName(name), v)
}

func get(d protoreflect.Message, name protoreflect.Name) protoreflect.Value {
	return d.Get(d.Descriptor().Fields().ByName(name))
}

// judge compares what Decode made of body with what the judge makes of it.
func judge(t failer, body []byte, m Message, lim Limits) {
	t.Helper()
	d := dynamicpb.NewMessage(judgeMessage)
	if err := proto.Unmarshal(body, d); err != nil {
		t.Fatalf("we read %x, protobuf says %v", body, err)
	}
	if want := get(d, "type").Enum(); int32(want) != int32(m.Type) {
		t.Fatalf("%x: type %d, protobuf says %d", body, m.Type, want)
	}
	if want := get(d, "key").Bytes(); !bytes.Equal(want, m.Key) {
		t.Fatalf("%x: key %x, protobuf says %x", body, m.Key, want)
	}
	if has := d.Has(judgeMessage.Fields().ByName("record")); has != (m.Record != nil) {
		t.Fatalf("%x: protobuf has a record: %v; we: %v", body, has, m.Record != nil)
	}
	if r := m.Record; r != nil {
		want := get(d, "record").Message()
		if !bytes.Equal(r.Key, get(want, "key").Bytes()) || !bytes.Equal(r.Value, get(want, "value").Bytes()) ||
			r.TimeReceived != get(want, "timeReceived").String() {
			t.Fatalf("%x: record %v, protobuf says %v", body, r, want)
		}
	}
	comparePeers(t, m.Closer, get(d, "closerPeers").List(), lim.Closer)
	comparePeers(t, m.Providers, get(d, "providerPeers").List(), lim.Providers)
}

// comparePeers checks that ours are the first valid ones of the judge's, with
// some of their addresses in their order.
func comparePeers(t failer, ours []Peer, all protoreflect.List, limit int) {
	t.Helper()
	next := 0
	for i := 0; i < all.Len() && next < limit; i++ {
		want := all.Get(i).Message()
		if !validID(get(want, "id").Bytes()) {
			continue
		}
		if next >= len(ours) {
			t.Fatalf("we kept %d peers, protobuf has more: %x", len(ours), get(want, "id").Bytes())
		}
		comparePeer(t, ours[next], want)
		next++
	}
	if next != len(ours) {
		t.Fatalf("we have %d peers, protobuf %d that are valid", len(ours), next)
	}
}

func comparePeer(t failer, got Peer, want protoreflect.Message) {
	t.Helper()
	if id := get(want, "id").Bytes(); string(id) != string(got.Contact.ID) {
		t.Fatalf("peer %x, protobuf says %x", got.Contact.ID, id)
	}
	c := get(want, "connection").Enum()
	if known := c >= 0 && c <= 3; known && int32(c) != int32(got.Connection) || !known && got.Connection != NotConnected {
		t.Fatalf("connection %d, protobuf says %d", got.Connection, c)
	}
	addrs, from := get(want, "addrs").List(), 0
	for _, a := range got.Contact.Addrs {
		for ; from < addrs.Len() && !bytes.HasPrefix(addrs.Get(from).Bytes(), []byte(a)); from++ {
		}
		if from == addrs.Len() {
			t.Fatalf("address %x is not among %v, or out of order", string(a), addrs)
		}
		from++
	}
}

// drawn is a message as honest peers make it: everything in it is valid.
func drawn(t *rapid.T) *Message {
	m := &Message{
		Type:      Type(rapid.IntRange(0, int(types)-1).Draw(t, "type")),
		Key:       rapid.SliceOfN(rapid.Byte(), 0, params.MaxKey).Draw(t, "key"),
		Closer:    drawnPeers(t, "closer"),
		Providers: drawnPeers(t, "providers"),
	}
	if rapid.Bool().Draw(t, "with record") {
		m.Record = &record.Record{
			Key:          rapid.SliceOfN(rapid.Byte(), 0, 60).Draw(t, "record key"),
			Value:        rapid.SliceOfN(rapid.Byte(), 0, 300).Draw(t, "value"),
			TimeReceived: rapid.String().Draw(t, "time"),
		}
	}
	return m
}

func drawnPeers(t *rapid.T, label string) []Peer {
	n := rapid.IntRange(0, 25).Draw(t, label)
	var list []Peer
	for range n {
		id := append([]byte{codeSHA256, 32}, rapid.SliceOfN(rapid.Byte(), 32, 32).Draw(t, "id")...)
		if rapid.Bool().Draw(t, "ed25519") {
			id = append([]byte{codeIdentity, 36, 8, 1, 18, 32}, id[2:]...)
		}
		port := rapid.SliceOfNDistinct(rapid.Uint16(), 0, params.MaxAddrs, rapid.ID[uint16]).Draw(t, "ports")
		var addrs []contact.Addr
		for _, p := range port {
			addrs = append(addrs, contact.Addr([]byte{4, 127, 0, 0, 1, 6, byte(p >> 8), byte(p)}))
		}
		c := Connection(rapid.IntRange(0, int(connections)-1).Draw(t, "connection"))
		list = append(list, Peer{Contact: contact.New(contact.ID(id), addrs...), Connection: c})
	}
	return list
}

func TestTheJudgeWritesTheSameBytes(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawn(t)
		got, want := Append(nil, m), judgeBytes(t, m)
		if !bytes.Equal(got, want) {
			t.Fatalf("we write\n%x\nprotobuf\n%x", got, want)
		}
		if len(got) != Size(m) {
			t.Fatalf("Size says %d, Append wrote %d", Size(m), len(got))
		}
	})
}

func TestDecodeReadsWhatAppendWrote(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m := drawn(t)
		if rapid.Bool().Draw(t, "encoded before") {
			for _, p := range append(m.Closer, m.Providers...) {
				p.Contact.Wire = EncodeContact(p.Contact)
			}
		}
		body := Append(nil, m)
		got, err := Decode(body, RecordLimits())
		if err != nil {
			t.Fatal(err)
		}
		if dump(&got) != dump(m) {
			t.Fatalf("wrote\n%sread\n%s", dump(m), dump(&got))
		}
		judge(t, body, got, RecordLimits())
	})
}

// TestTheJudgeRefusesWhatWeRefuse damages good messages: either both of us
// read the same out of them, or neither reads anything.
func TestTheJudgeRefusesWhatWeRefuse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		body := Append(nil, drawn(t))
		for range rapid.IntRange(1, 4).Draw(t, "damages") {
			at := rapid.IntRange(0, len(body)-1).Draw(t, "at")
			body[at] = rapid.Byte().Draw(t, "byte")
		}
		body = body[:rapid.IntRange(0, len(body)).Draw(t, "length")]
		agree(t, body)
	})
}

// agree checks Decode against the judge on any bytes at all. We may refuse
// more (groups, unknown types, long keys), and never less, but for entries
// beyond the limit, which we do not open.
func agree(t failer, body []byte) {
	lim := Limits{Bytes: len(body), Closer: len(body), Providers: len(body)}
	m, err := Decode(body, lim)
	switch {
	case err == nil:
		judge(t, body, m, lim)
	case err == errField || err == errText:
		if proto.Unmarshal(body, dynamicpb.NewMessage(judgeMessage)) == nil {
			t.Fatalf("%x: protobuf reads it, we say %v", body, err)
		}
	case errors.Is(err, errGroup) || errors.Is(err, ErrKey):
	case errors.Is(err, ErrType):
		d := dynamicpb.NewMessage(judgeMessage)
		if err := proto.Unmarshal(body, d); err != nil || Type(get(d, "type").Enum()).known() {
			t.Fatalf("%x: we say that its type is unknown; protobuf: %v, %v", body, get(d, "type"), err)
		}
	default:
		t.Fatalf("%x: unexpected error %v", body, err)
	}
}

// failer is what the helpers need of *testing.T and *rapid.T alike.
type failer interface {
	Helper()
	Fatal(args ...any)
	Fatalf(format string, args ...any)
}
