package document

import (
	"reflect"
	"slices"
	"strings"
)

// fileSuffix makes the key that names a file from the key that holds the value.
const fileSuffix = "_file"

// field is one key that a struct accepts.
type field struct {
	name     string
	index    []int
	secret   bool
	file     bool // accepted from a file too
	nonempty bool
}

// fields are the keys of a struct, in the order of their declaration.
type fields []field

// fieldsOf lists the keys of a struct type by the rules of encoding/json: the name in the
// `json` tag or else that of the field, "-" for none, and the keys of embedded structs without
// a tag as if they were declared here. A key of the struct itself hides one of the same name in
// an embedded struct. Unlike there, upper and lower case differ.
func fieldsOf(t reflect.Type) fields {
	var own, embedded fields
	for i := range t.NumField() {
		f := t.Field(i)
		tag, name := f.Tag.Get("json"), ""
		if name, _, _ = strings.Cut(tag, ","); tag == "-" {
			continue
		}
		if inner, ok := embeddedStruct(f); ok && name == "" {
			for _, deeper := range fieldsOf(inner) {
				deeper.index = append([]int{i}, deeper.index...)
				embedded = append(embedded, deeper)
			}
			continue
		}
		if f.IsExported() {
			own = append(own, newField(f, name, i))
		}
	}
	for _, f := range embedded {
		if _, hidden := own.named(f.name); !hidden {
			own = append(own, f)
		}
	}
	return own
}

// embeddedStruct returns the struct type of an embedded field that can be reached: embedded by
// value, or by an exported pointer.
func embeddedStruct(f reflect.StructField) (reflect.Type, bool) {
	t := f.Type
	if t.Kind() == reflect.Pointer && f.IsExported() {
		t = t.Elem()
	}
	return t, f.Anonymous && t.Kind() == reflect.Struct
}

func newField(f reflect.StructField, name string, index int) field {
	if name == "" {
		name = f.Name
	}
	options := strings.Split(f.Tag.Get("document"), ",")
	file := slices.Contains(options, "file")
	return field{
		name:     name,
		index:    []int{index},
		file:     file,
		secret:   file || slices.Contains(options, "secret"),
		nonempty: slices.Contains(options, "nonempty"),
	}
}

func (fs fields) named(name string) (field, bool) {
	i := slices.IndexFunc(fs, func(f field) bool { return f.name == name })
	if i < 0 {
		return field{}, false
	}
	return fs[i], true
}

// lookup finds the field for a key, and tells whether the key names a file.
func (fs fields) lookup(key string) (f field, fromFile, ok bool) {
	if f, ok := fs.named(key); ok {
		return f, false, true
	}
	if name, cut := strings.CutSuffix(key, fileSuffix); cut {
		if f, ok := fs.named(name); ok && f.file {
			return f, true, true
		}
	}
	return field{}, false, false
}

// keys lists all keys that lookup finds.
func (fs fields) keys() []string {
	var all []string
	for _, f := range fs {
		all = append(all, f.name)
		if f.file {
			all = append(all, f.name+fileSuffix)
		}
	}
	return all
}

// in returns the field of a struct value. Embedded pointers on the way are replaced by copies
// of what they point to, so that a struct shared with others is left alone.
func (f field) in(v reflect.Value) reflect.Value {
	for _, i := range f.index {
		if v.Kind() == reflect.Pointer {
			v.Set(copyOf(v))
			v = v.Elem()
		}
		v = v.Field(i)
	}
	return v
}

// copyOf returns a pointer to a copy of what the pointer v points to, or to a new zero value.
func copyOf(v reflect.Value) reflect.Value {
	fresh := reflect.New(v.Type().Elem())
	if !v.IsNil() {
		fresh.Elem().Set(v.Elem())
	}
	return fresh
}
