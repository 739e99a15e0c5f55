package extauthz

import (
	"bytes"
	"slices"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Messages are built field by field here, as no library would write them.

func submessage(num protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(nil, num, protowire.BytesType), slices.Concat(parts...))
}

func str(num protowire.Number, s string) []byte { return submessage(num, []byte(s)) }

func varint(num protowire.Number, v uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(nil, num, protowire.VarintType), v)
}

func group(num protowire.Number, parts ...[]byte) []byte {
	return protowire.AppendGroup(protowire.AppendTag(nil, num, protowire.StartGroupType), num, slices.Concat(parts...))
}

func attributes(parts ...[]byte) []byte { return submessage(1, parts...) }
func httpFields(parts ...[]byte) []byte { return attributes(submessage(4, submessage(2, parts...))) }
func rawHeader(parts ...[]byte) []byte  { return submessage(13, submessage(1, parts...)) }
func source(parts ...[]byte) []byte     { return attributes(submessage(1, parts...)) }

// metadataOf is a metadata_context with a value in it.
func metadataOf(value ...[]byte) []byte {
	return attributes(submessage(11, submessage(1, str(1, "ns"), submessage(2, submessage(1, str(1, "key"), submessage(2, value...))))))
}

// lists nests list values in metadata: what is inside is two more messages deep
// for each, and seven at least.
func lists(n int, inside []byte) []byte {
	for range n {
		inside = submessage(6, submessage(1, inside))
	}
	return metadataOf(inside)
}

// TestAMessageIsReadAsTheGeneratedTypesReadIt: what they reject is no check, and
// what they take is the same request.
func TestAMessageIsReadAsTheGeneratedTypesReadIt(t *testing.T) {
	t.Parallel()
	const bad = "a\xff"
	path, accept := str(4, "/a"), rawHeader(str(1, "accept"), str(3, "*/*"))
	plain := httpFields(path, accept)
	entry := func(parts ...[]byte) []byte { return httpFields(path, submessage(3, parts...)) }
	extension := func(parts ...[]byte) []byte { return slices.Concat(plain, attributes(submessage(10, parts...))) }
	socket := func(ip string) []byte { return submessage(1, submessage(1, str(2, ip), varint(3, 443))) }
	pipe, internal := submessage(1, submessage(2, str(1, "/run/x"))), submessage(1, submessage(3, str(1, "listener")))
	and := func(parts ...[]byte) []byte { return slices.Concat(append(parts, plain)...) }
	tests := []struct {
		name     string
		data     []byte
		rejected bool
	}{
		{"nothing", nil, false},
		{"a request", plain, false},
		{"attributes in two pieces", slices.Concat(httpFields(path), httpFields(accept)), false},
		{"a request in two pieces", attributes(submessage(4, submessage(2, path)), submessage(4, submessage(2, accept))), false},
		{"an HTTP request in two pieces", attributes(submessage(4, submessage(2, path), submessage(2, accept))), false},
		{"a list of headers in two pieces", httpFields(path, accept, rawHeader(str(1, "b"), str(3, "2"))), false},
		{"a source in two pieces", and(source(socket("192.0.2.1")), source(str(4, "spiffe://x"))), false},
		{"a path said twice", httpFields(str(4, "/admin"), path, accept), false},
		{"a path that is empty the second time", httpFields(path, accept, str(4, "")), false},
		{"method, scheme and host said twice", and(httpFields(str(2, "GET"), str(6, "http"), str(5, "a"), str(2, "PUT"), str(6, "https"), str(5, "b"))), false},

		{"a header with both values, and the raw one empty the second time", httpFields(path, rawHeader(str(1, "a"), str(2, "v"), str(3, "r"), str(3, ""))), false},
		{"a header with a key said twice", httpFields(path, rawHeader(str(1, "a"), str(1, "b"), str(3, "r"))), false},
		{"a header without a key after one with", httpFields(path, submessage(13, submessage(1, str(1, "a"), str(3, "r")), submessage(1, str(3, "s")), submessage(1))), false},
		{"pseudo headers alone", httpFields(path, rawHeader(str(1, ":path"), str(3, "/b"))), false},
		{"both forms of headers", httpFields(path, accept, submessage(3, str(1, "a"), str(2, "v"))), false},
		{"pseudo headers alone in one form, headers in the other", httpFields(path, rawHeader(str(1, ":path"), str(3, "/b")), submessage(3, str(1, "a"), str(2, "v"))), false},
		{"an entry without a key", entry(str(2, "v")), false},
		{"an entry without a value", entry(str(1, "a")), false},
		{"an empty entry", entry(), false},
		{"an entry with its value first", entry(str(2, "v"), str(1, "a")), false},
		{"an entry with key and value said twice", entry(str(1, "a"), str(2, "v"), str(1, "b"), str(2, "w")), false},
		{"an entry with what entries do not have", entry(str(1, "a"), str(3, bad), varint(4, 1), group(5, varint(1, 1)), str(2, "v")), false},
		{"an entry with key and value of other types", entry(varint(1, 7), varint(2, 8), group(1)), false},
		{"two entries of one key", httpFields(path, submessage(3, str(1, "b"), str(2, "1")), submessage(3, str(1, "a"), str(2, "1")), submessage(3, str(1, "b"), str(2, "2"))), false},
		{"a map that is a number", httpFields(path, varint(3, 1), accept), false},

		{"a rule", extension(str(1, ruleKey), str(2, "admin")), false},
		{"a rule without a name", slices.Concat(extension(str(1, ruleKey), str(2, "admin")), extension(str(1, ruleKey))), false},
		{"a rule said twice", slices.Concat(extension(str(1, ruleKey), str(2, "admin")), extension(str(2, "home"), str(1, ruleKey))), false},
		{"another extension after the rule", slices.Concat(extension(str(1, ruleKey), str(2, "admin")), extension(str(2, "home"))), false},

		{"a peer", and(source(socket("192.0.2.1"))), false},
		{"a peer said twice", and(source(socket("192.0.2.1"), socket("192.0.2.2"))), false},
		{"a peer said twice, without an address the second time", and(source(socket("192.0.2.1"), submessage(1, submessage(1, varint(3, 80))))), false},
		{"a peer said twice, no address the second time", and(source(socket("192.0.2.1"), socket("x"))), false},
		{"a pipe after an address", and(source(socket("192.0.2.1"), pipe)), false},
		{"an address after a pipe", and(source(pipe, socket("192.0.2.1"))), false},
		{"a pipe between two addresses", and(source(socket("192.0.2.1"), pipe, submessage(1, submessage(1, varint(3, 80))))), false},
		{"an internal listener after an address", and(source(socket("192.0.2.1"), internal)), false},
		{"a pipe that is a number after an address", and(source(socket("192.0.2.1"), submessage(1, varint(2, 1)))), false},
		{"a destination", and(attributes(submessage(2, socket("192.0.2.9")))), false},

		{"fields that nobody knows", and(varint(99, 1), str(98, bad), group(97, group(96, varint(1, 1))), attributes(str(99, bad))), false},
		{"numbers of four and eight bytes", and(protowire.AppendFixed32(protowire.AppendTag(nil, 99, protowire.Fixed32Type), 1),
			httpFields(protowire.AppendFixed64(protowire.AppendTag(nil, 4, protowire.Fixed64Type), 1))), false},
		{"a group in the place of a message", and(group(1, submessage(4, submessage(2, str(4, "/admin"))))), false},
		{"a number in the place of a message", and(varint(1, 1)), false},
		{"a string in the place of a number", and(httpFields(str(9, bad))), false},
		{"lengths and tags longer than they need to be", slices.Concat([]byte{0x8a, 0x80, 0x00, 0x82, 0x80, 0x00, 0x10, 0x01}, plain), false},
		{"the largest field number", and(varint(protowire.MaxValidNumber, 1)), false},
		{"a field number beyond", and(varint(protowire.MaxValidNumber+1, 1)), true},
		{"field number 0", and([]byte{0x00, 0x01}), true},
		{"wire type 6", and([]byte{0x0e, 0x01}), true},
		{"a varint of eleven bytes", and(append(bytes.Repeat([]byte{0x80}, 10), 0x01)), true},
		{"a group that ends another", and(protowire.AppendTag(protowire.AppendTag(nil, 9, protowire.StartGroupType), 8, protowire.EndGroupType)), true},
		{"a group without an end", append(plain[:len(plain):len(plain)], protowire.AppendTag(nil, 9, protowire.StartGroupType)...), true},
		{"an end without a group", and(protowire.AppendTag(nil, 1, protowire.EndGroupType)), true},
		{"an end of a group in a message", and(attributes(protowire.AppendTag(nil, 1, protowire.EndGroupType))), true},
		{"an end of a group in an entry", entry(protowire.AppendTag(nil, 1, protowire.EndGroupType)), true},
		{"a message cut short", plain[:len(plain)-1], true},
		{"a message that is longer than what holds it", attributes([]byte{0x22, 0x7f}), true},
		{"a tag without a value", and([]byte{0x0a})[:1], true},

		{"a path that is not UTF-8", httpFields(str(4, bad), accept), true},
		{"a path that is not UTF-8 the first time", httpFields(str(4, bad), path, accept), true},
		{"a key that is not UTF-8", httpFields(path, rawHeader(str(1, bad), str(3, "r"))), true},
		{"a value that is not UTF-8, beside a raw one", httpFields(path, rawHeader(str(1, "a"), str(2, bad), str(3, "r"))), true},
		{"a raw value that is not UTF-8", httpFields(path, rawHeader(str(1, "a"), str(3, bad))), false},
		{"a raw body that is not UTF-8", and(httpFields(str(12, bad))), false},
		{"a body that is not UTF-8", and(httpFields(str(11, bad))), true},
		{"a principal that is not UTF-8", and(source(str(4, bad))), true},
		{"a label that is not UTF-8", and(source(submessage(3, str(1, bad)))), true},
		{"the name of a port that is not UTF-8", and(source(submessage(1, submessage(1, str(4, bad))))), true},
		{"a server name that is not UTF-8", and(attributes(submessage(12, str(1, bad)))), true},
		{"an entry that is not UTF-8", entry(str(1, "a"), str(2, bad), str(2, "v")), true},
		{"another extension that is not UTF-8", extension(str(1, bad)), true},

		{"metadata of every kind", and(metadataOf(str(3, "s")), metadataOf(varint(1, 0)), metadataOf(varint(4, 1)), metadataOf(submessage(5)), metadataOf(submessage(6)), metadataOf()), false},
		{"metadata that is not UTF-8", and(metadataOf(str(3, bad))), true},
		{"a key in metadata that is not UTF-8", and(metadataOf(submessage(5, submessage(1, str(1, bad))))), true},
		{"typed metadata whose type is not UTF-8", and(attributes(submessage(11, submessage(2, str(1, "ns"), submessage(2, str(1, bad)))))), true},
		{"typed metadata of any bytes", and(attributes(submessage(11, submessage(2, str(1, "ns"), submessage(2, str(2, bad)))))), false},
		{"a route's metadata that is not UTF-8", and(attributes(submessage(13, submessage(1, str(1, bad))))), true},
		{"messages as deep as may be", and(lists(4996, submessage(6))), false},
		{"messages deeper than may be", and(lists(4996, submessage(6, submessage(1)))), true},
		{"a map that is a number, as deep as may be", and(lists(4995, submessage(5, varint(1, 1)))), false},
		{"a map that is a number, deeper than a map may be", and(lists(4996, submessage(5, varint(1, 1)))), true},
		{"groups as deep as one likes", and(bytes.Repeat(protowire.AppendTag(nil, 99, protowire.StartGroupType), 20000)), true},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if c := readAsOracle(t, test.data); (c.err != nil) != test.rejected {
				t.Errorf("rejected: %v", c.err)
			}
		})
	}
}

// TestEveryFieldOfACheckIsOfAKindThatIsRead guards the reader against a release of
// the generated types that has kinds it does not know.
func TestEveryFieldOfACheckIsOfAKindThatIsRead(t *testing.T) {
	t.Parallel()
	seen := map[protoreflect.FullName]bool{}
	var walk func(protoreflect.MessageDescriptor)
	walk = func(m protoreflect.MessageDescriptor) {
		if seen[m.FullName()] {
			return
		}
		seen[m.FullName()] = true
		if m.Syntax() != protoreflect.Proto3 || m.ExtensionRanges().Len() > 0 {
			t.Errorf("%s: strings need not be UTF-8, or it can be extended", m.FullName())
		}
		for i := range m.Fields().Len() {
			f := m.Fields().Get(i)
			switch {
			case f.Kind() == protoreflect.MessageKind:
				walk(f.Message())
			case f.Kind() == protoreflect.GroupKind, f.IsList() && f.Kind() != protoreflect.StringKind && f.Kind() != protoreflect.BytesKind:
				t.Errorf("%s: a group, or a packed list", f.FullName())
			}
		}
	}
	walk((&authv3.CheckRequest{}).ProtoReflect().Descriptor())
	if len(seen) < 15 {
		t.Errorf("only %d types seen", len(seen))
	}
}
