package document

import (
	"fmt"
	"reflect"

	"github.com/clerkgate/clerkgate/internal/suggest"
)

// decoder fills Go values from nodes. What does not fit is reported, and the value is left as
// it was.
type decoder struct {
	folder   string
	files    []File // that were read
	readFile func(string) ([]byte, error)
	found    *problems
}

// decode fills v, which is addressable, from n. In a secret field, what n holds is not to be
// repeated in an error.
func (d *decoder) decode(n *node, v reflect.Value, secret bool) {
	if n.failed || n.absent {
		return
	}
	if v.Kind() == reflect.Pointer {
		fresh := copyOf(v)
		d.decode(n, fresh.Elem(), secret)
		v.Set(fresh)
		return
	}
	isAny := v.Kind() == reflect.Interface && v.NumMethod() == 0
	switch {
	case isAny:
		d.plain(n, v)
	case n.kind == null:
		n.fail(d.found, "is empty; remove the key or give it a value")
	case !d.custom(n, v, secret):
		d.byKind(n, v, secret)
	}
}

// byKind decodes into a type that does not decode itself.
func (d *decoder) byKind(n *node, v reflect.Value, secret bool) {
	switch v.Kind() {
	case reflect.Struct:
		d.structure(n, v, secret)
	case reflect.Map:
		d.dictionary(n, v, secret)
	case reflect.Slice:
		d.slice(n, v, secret)
	default:
		d.scalar(n, v, secret)
	}
}

func (d *decoder) structure(n *node, v reflect.Value, secret bool) {
	if !d.is(n, mapping, v.Type(), secret) {
		return
	}
	known := fieldsOf(v.Type())
	given := map[string]string{}
	for _, c := range n.children {
		f, fromFile, ok := known.lookup(c.key)
		if !ok {
			d.unknown(c, known)
			continue
		}
		if c.failed || !d.filled(c, f) || c.absent {
			continue
		}
		if other, twice := given[f.name]; twice {
			n.reportAt(c.keyPos, d.found, fmt.Sprintf("both %s and %s are given; keep one", other, c.key))
			continue
		}
		given[f.name] = c.key
		if fromFile {
			c = d.contents(c, f)
		}
		d.decode(c, f.in(v), secret || f.secret)
	}
}

// unknown reports a key that the struct does not have.
func (d *decoder) unknown(c *node, known fields) {
	if d.found.full() {
		d.found.total++
		return
	}
	d.found.add(&Error{
		Position:   c.keyPos,
		Path:       c.parent.path(),
		Msg:        fmt.Sprintf("unknown key %q", c.key),
		Suggestion: suggest.DidYouMean(c.key, known.keys()...),
	})
}

// filled reports a field that must not be empty and is.
func (d *decoder) filled(c *node, f field) bool {
	if !f.nonempty || !c.absent && !c.empty() {
		return true
	}
	if c.shorter {
		c.fail(d.found, "an element expands to nothing; remove it or give it a value")
	} else {
		c.fail(d.found, "is empty; remove the key or give it a value")
	}
	return false
}

// dictionary decodes into a new map, whose keys must be strings.
func (d *decoder) dictionary(n *node, v reflect.Value, secret bool) {
	t := v.Type()
	if t.Key().Kind() != reflect.String {
		n.fail(d.found, fmt.Sprintf("the Go type %s can not be read from a document", t))
		return
	}
	if !d.is(n, mapping, t, secret) {
		return
	}
	m := reflect.MakeMapWithSize(t, len(n.children))
	for _, c := range n.children {
		if c.absent {
			continue
		}
		value := reflect.New(t.Elem()).Elem()
		d.decode(c, value, secret)
		m.SetMapIndex(reflect.ValueOf(c.key).Convert(t.Key()), value)
	}
	v.Set(m)
}

// slice decodes into a new slice.
func (d *decoder) slice(n *node, v reflect.Value, secret bool) {
	if !d.is(n, list, v.Type(), secret) {
		return
	}
	s := reflect.MakeSlice(v.Type(), len(n.children), len(n.children))
	for i, c := range n.children {
		d.decode(c, s.Index(i), secret)
	}
	v.Set(s)
}

// plain decodes into an empty interface: a string, bool, float64, nil, []any or map[string]any.
// What was expanded is a string.
func (d *decoder) plain(n *node, v reflect.Value) {
	switch n.kind {
	case null:
		v.SetZero()
	case boolean:
		v.Set(reflect.ValueOf(n.value == "true"))
	case number:
		d.plainNumber(n, v)
	case text:
		n.settle(text)
		v.Set(reflect.ValueOf(n.value))
	case list:
		var elements []any
		d.into(n, v, reflect.ValueOf(&elements).Elem())
	case mapping:
		var entries map[string]any
		d.into(n, v, reflect.ValueOf(&entries).Elem())
	}
}

// into decodes n into a value of a certain type, and puts that into the interface v.
func (d *decoder) into(n *node, v, value reflect.Value) {
	d.byKind(n, value, false)
	v.Set(value)
}

// is reports a node that is not of the kind that the target type wants.
func (d *decoder) is(n *node, want kind, t reflect.Type, secret bool) bool {
	if n.kind == want {
		return true
	}
	d.mismatch(n, expected(t), secret)
	return false
}

func (d *decoder) mismatch(n *node, want string, secret bool) {
	n.fail(d.found, fmt.Sprintf("expected %s, got %s", want, n.describe(secret)))
}
