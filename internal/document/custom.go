package document

import (
	"bytes"
	"encoding"
	"encoding/json"
	"errors"
	"reflect"
	"strings"
)

// Shaper is implemented by types with UnmarshalJSON that accept, beside other forms, a mapping
// with certain keys.
type Shaper interface {
	// DocumentShape returns a pointer to a struct with the keys that are accepted when the
	// value is a mapping. The mapping is checked against it before UnmarshalJSON sees it. It
	// may be called on the zero value.
	DocumentShape() any
}

// custom decodes into a type that decodes itself, and reports whether v is one.
func (d *decoder) custom(n *node, v reflect.Value, secret bool) bool {
	switch target := v.Addr().Interface().(type) {
	case json.Unmarshaler:
		d.fromJSON(n, target, secret)
	case encoding.TextUnmarshaler:
		d.fromText(n, v, target, secret)
	default:
		return false
	}
	return true
}

func (d *decoder) fromText(n *node, v reflect.Value, target encoding.TextUnmarshaler, secret bool) {
	var s string
	d.text(n, reflect.ValueOf(&s).Elem(), secret)
	if n.failed {
		return
	}
	if err := target.UnmarshalText([]byte(s)); err != nil {
		d.rejected(n, err, secret)
	}
}

func (d *decoder) fromJSON(n *node, target json.Unmarshaler, secret bool) {
	before := d.found.total
	if shaper, ok := target.(Shaper); ok && n.kind == mapping {
		d.structure(n, reflect.ValueOf(shaper.DocumentShape()).Elem(), secret)
	}
	var subtree bytes.Buffer
	d.writeJSON(&subtree, n, secret)
	if d.found.total > before || n.broken() {
		return
	}
	if err := target.UnmarshalJSON(subtree.Bytes()); err != nil {
		d.rejected(n, err, secret)
	}
}

// writeJSON writes the JSON of a node. What is absent is left out.
func (d *decoder) writeJSON(out *bytes.Buffer, n *node, secret bool) {
	switch n.kind {
	case null:
		n.fail(d.found, "is empty; remove the key or give it a value")
	case list:
		out.WriteByte('[')
		for i, c := range n.children {
			separate(out, i)
			d.writeJSON(out, c, secret)
		}
		out.WriteByte(']')
	case mapping:
		d.writeObject(out, n, secret)
	case number:
		digits, _ := d.number(n, "a number", secret)
		out.WriteString(digits)
	default:
		out.WriteString(n.scalarJSON())
	}
}

func (d *decoder) writeObject(out *bytes.Buffer, n *node, secret bool) {
	out.WriteByte('{')
	written := 0
	for _, c := range n.children {
		if c.absent {
			continue
		}
		separate(out, written)
		written++
		out.WriteString(quoteJSON(c.key) + ":")
		d.writeJSON(out, c, secret)
	}
	out.WriteByte('}')
}

func separate(out *bytes.Buffer, position int) {
	if position > 0 {
		out.WriteByte(',')
	}
}

// scalarJSON writes text or a boolean. Text that was expanded without quotes around it becomes
// a number or a boolean if it looks like one. In JSON, where the quotes can not be left out, it
// stays text.
func (n *node) scalarJSON() string {
	bareReference := n.raw != "" && n.style == bare
	looksTyped := n.value == "true" || n.value == "false" || plainNumber.MatchString(n.value)
	if n.kind == boolean || bareReference && looksTyped {
		return n.value
	}
	return quoteJSON(n.value)
}

func quoteJSON(s string) string {
	quoted, _ := json.Marshal(s) // can not fail: s is a string
	return string(quoted)
}

// rejected reports the error of a type that decodes itself. Paths in it are relative to n. In a
// secret field the text is dropped, since it may repeat the value.
func (d *decoder) rejected(n *node, err error, secret bool) {
	n.failed = true
	if secret {
		n.report(d.found, "the value is not accepted")
		return
	}
	for _, e := range n.locate(err) {
		if _, located := e.(*Error); !located {
			e = n.explain(e)
		}
		d.found.add(e)
	}
}

// explain makes a located error of one that knows no path.
func (n *node) explain(err error) error {
	mismatch, ok := errors.AsType[*json.UnmarshalTypeError](err)
	if !ok {
		return &Error{Position: n.pos, Path: n.path(), Msg: err.Error(), cause: err}
	}
	return &Error{
		Position: n.find(mismatch.Field).pos,
		Path:     joinPath(n.path(), mismatch.Field),
		Msg:      "expected " + expected(mismatch.Type) + ", got " + wordForJSON(mismatch.Value),
		cause:    err,
	}
}

// locate lists the errors inside err: those with a path located from n downwards, the others as
// they are.
func (n *node) locate(err error) []error {
	if _, ok := errors.AsType[PathError](err); !ok {
		return []error{err}
	}
	switch e := err.(type) {
	case *Error:
		return []error{e}
	case PathError:
		return []error{n.error(e)}
	case interface{ Unwrap() []error }:
		var all []error
		for _, inner := range e.Unwrap() {
			all = append(all, n.locate(inner)...)
		}
		return all
	case interface{ Unwrap() error }:
		return n.locate(e.Unwrap())
	}
	return []error{err}
}

func (n *node) error(e PathError) *Error {
	return &Error{
		Position:   n.find(e.ConfigPath()).pos,
		Path:       joinPath(n.path(), e.ConfigPath()),
		Msg:        strings.TrimSpace(e.ConfigMessage()),
		Suggestion: e.ConfigSuggestion(),
		cause:      e,
	}
}
