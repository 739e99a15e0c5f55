package document

import (
	"encoding"
	"encoding/json"
	"fmt"
	"reflect"
)

// expected says in an operator's words what a Go type takes.
func expected(t reflect.Type) string {
	switch word := noun(t); {
	case t.Kind() == reflect.Slice:
		if of := noun(t.Elem()); of != "" {
			return "a list of " + of + "s"
		}
		return "a list"
	case t.Kind() == reflect.Bool:
		return "true or false"
	case word != "":
		return "a " + word
	}
	return "another kind of value"
}

var (
	unmarshaler     = reflect.TypeFor[json.Unmarshaler]()
	textUnmarshaler = reflect.TypeFor[encoding.TextUnmarshaler]()
)

// noun is the word for one value of a type, or empty where there is no single one.
func noun(t reflect.Type) string {
	for t.Kind() == reflect.Pointer {
		t = t.Elem()
	}
	switch p := reflect.PointerTo(t); {
	case p.Implements(unmarshaler):
		return ""
	case p.Implements(textUnmarshaler):
		return "string"
	}
	switch t.Kind() {
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Struct, reflect.Map:
		return "mapping"
	case reflect.Slice:
		return "list"
	case reflect.Float32, reflect.Float64:
		return "number"
	case reflect.Interface, reflect.Array, reflect.Func, reflect.Chan, reflect.Complex64, reflect.Complex128:
		return ""
	}
	return "whole number"
}

// describe says what a node holds. It repeats neither a secret nor a value that came from the
// environment.
func (n *node) describe(secret bool) string {
	word := map[kind]string{
		null: "nothing", boolean: "a boolean", number: "a number", text: "a string", list: "a list", mapping: "a mapping",
	}[n.kind]
	switch {
	case n.kind == list || n.kind == mapping || secret:
		return word
	case n.raw != "":
		return fmt.Sprintf("the value of %q", shorten(n.raw))
	case n.kind == boolean:
		return n.value
	case n.kind == number:
		return "the number " + shorten(n.value)
	case n.kind == text:
		return fmt.Sprintf("%q", shorten(n.value))
	}
	return word
}

// shorten keeps the beginning of a long text.
func shorten(s string) string {
	const most = 40
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "..."
	}
	return s
}

// wordForJSON translates what encoding/json calls a value.
func wordForJSON(value string) string {
	switch value {
	case "object":
		return "a mapping"
	case "array":
		return "a list"
	case "bool":
		return "a boolean"
	case "string", "number":
		return "a " + value
	}
	return "a number that does not fit" // "number 300"
}
