package extauthz

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// Why bytes are not a valid message. No error contains any of the bytes.
var (
	errWire  = errors.New("not a protobuf message")
	errText  = errors.New("a string is not UTF-8")
	errDepth = errors.New("messages are nested too deeply")
)

// A message is the decoder of one message type: it validates all fields as
// proto.Unmarshal does, and hands over the values of the wanted ones.
type message struct {
	// fields are indexed by field number. Index 0 is for numbers that the type does not
	// have.
	fields []field
}

// field is the decoder of one field.
type field struct {
	kind    kind
	message *message // of a message or an entry
	onValue onValue  // nil where the value is not wanted
}

type kind uint8

const (
	number  kind = iota // and whatever the type does not have: any value that is complete
	octets              // bytes
	text                // a string, which is UTF-8
	nested              // a message
	mapping             // an entry of a map, which is a message of key and value
)

// onValue receives the value of a field each time it occurs; that of a message after
// those of its fields. The value is valid only until onValue returns.
type onValue func(c *check, value []byte)

// newMessage returns the decoder of a message type. wanted has the wanted fields by
// their path of names below the type, such as "attributes.request.http.path".
func newMessage(d protoreflect.MessageDescriptor, wanted map[string]onValue) *message {
	return (&planner{wanted: wanted, plain: map[protoreflect.FullName]*message{}}).message(d, "")
}

// planner makes one decoder for each path to a wanted field, and for all other paths one
// for each type, since types can be recursive.
type planner struct {
	wanted map[string]onValue
	plain  map[protoreflect.FullName]*message
}

func (p *planner) message(d protoreflect.MessageDescriptor, path string) *message {
	m := &message{fields: make([]field, 1)}
	if !p.wantsBelow(path) {
		if known := p.plain[d.FullName()]; known != nil {
			return known
		}
		p.plain[d.FullName()] = m
	}
	for i := range d.Fields().Len() {
		f := d.Fields().Get(i)
		if missing := int(f.Number()) + 1 - len(m.fields); missing > 0 {
			m.fields = append(m.fields, make([]field, missing)...)
		}
		m.fields[f.Number()] = p.field(f, path+string(f.Name()))
	}
	return m
}

func (p *planner) field(d protoreflect.FieldDescriptor, path string) field {
	f := field{onValue: p.wanted[path]}
	switch {
	case d.IsMap():
		f.kind, f.message = mapping, p.message(d.Message(), path+".")
	case d.Kind() == protoreflect.MessageKind:
		f.kind, f.message = nested, p.message(d.Message(), path+".")
	case d.Kind() == protoreflect.StringKind:
		f.kind = text
	case d.Kind() == protoreflect.BytesKind:
		f.kind = octets
	}
	return f
}

// wantsBelow reports whether a field below path is wanted.
func (p *planner) wantsBelow(path string) bool {
	for wanted := range p.wanted {
		if len(wanted) > len(path) && wanted[:len(path)] == path {
			return true
		}
	}
	return false
}

// read decodes one message, in which messages may be nested depth deep, itself included.
// A message field that occurs several times is merged, as in protobuf.
func (m *message) read(b []byte, depth int, c *check) error {
	if depth == 0 {
		return errDepth
	}
	for len(b) > 0 {
		num, typ, n := protowire.ConsumeTag(b)
		if n < 0 || num > protowire.MaxValidNumber {
			return errWire
		}
		b = b[n:]
		n, err := m.field(num).read(num, typ, b, depth-1, c)
		if err != nil {
			return err
		}
		b = b[n:]
	}
	return nil
}

func (m *message) field(num protowire.Number) *field {
	if int(num) >= len(m.fields) {
		num = 0
	}
	return &m.fields[num]
}

// read decodes one value and returns its length. One of another wire type than the
// field's is skipped, like an unknown field.
func (f *field) read(num protowire.Number, typ protowire.Type, b []byte, depth int, c *check) (int, error) {
	if f.kind == mapping && depth == 0 {
		return 0, errDepth // of any wire type
	}
	if f.kind == number || typ != protowire.BytesType {
		n := protowire.ConsumeFieldValue(num, typ, b)
		if n < 0 {
			return 0, errWire
		}
		return n, nil
	}
	value, n := protowire.ConsumeBytes(b)
	if n < 0 {
		return 0, errWire
	}
	if f.kind == text && !utf8.Valid(value) {
		return 0, errText
	}
	if f.message != nil {
		if err := f.message.read(value, depth, c); err != nil {
			return 0, err
		}
	}
	if f.onValue != nil {
		f.onValue(c, value)
	}
	return n, nil
}
