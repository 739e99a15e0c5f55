package extauthz

import (
	"errors"
	"unicode/utf8"

	"google.golang.org/protobuf/encoding/protowire"
	"google.golang.org/protobuf/reflect/protoreflect"
)

// What makes bytes no message. None of them says what the bytes were.
var (
	errWire  = errors.New("not a protobuf message")
	errText  = errors.New("a string is not UTF-8")
	errDepth = errors.New("messages are nested too deeply")
)

// A message is how one type of message is read: all of it is checked as
// proto.Unmarshal checks it, and what is wanted is handed over.
type message struct {
	// fields are in the place of their number. Number 0 is none's, and stands
	// for those that the type does not have.
	fields []field
}

// field is how one field is read.
type field struct {
	kind    kind
	message *message // of a message or an entry
	take    take     // nil where the value is not wanted
}

type kind uint8

const (
	number  kind = iota // and whatever the type does not have: any value that is complete
	octets              // bytes
	text                // a string, which is UTF-8
	nested              // a message
	mapping             // an entry of a map, which is a message of key and value
)

// take gets a value each time the field occurs, that of a message once its
// fields are through. The value is valid only until take returns.
type take func(c *check, value []byte)

// newMessage returns how to read messages of a type. Wanted are fields by their
// path of names below the type, such as "attributes.request.http.path".
func newMessage(d protoreflect.MessageDescriptor, wanted map[string]take) *message {
	return (&planner{wanted: wanted, plain: map[protoreflect.FullName]*message{}}).message(d, "")
}

// planner makes one message for each path to something wanted, and for all
// others one for each type, since types can hold themselves.
type planner struct {
	wanted map[string]take
	plain  map[protoreflect.FullName]*message
}

func (p *planner) message(d protoreflect.MessageDescriptor, path string) *message {
	m := &message{fields: make([]field, 1)}
	if !p.leadsOn(path) {
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
	f := field{take: p.wanted[path]}
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

// leadsOn reports whether anything below path is wanted.
func (p *planner) leadsOn(path string) bool {
	for wanted := range p.wanted {
		if len(wanted) > len(path) && wanted[:len(path)] == path {
			return true
		}
	}
	return false
}

// read reads one message, in which messages may be nested depth deep, itself
// included. A message in pieces is read as protobuf has it: piece by piece.
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

// read reads one value and returns its length. One of another wire type than
// the field's is skipped, as unknown.
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
	if f.take != nil {
		f.take(c, value)
	}
	return n, nil
}
