package setup

import (
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
)

// Every word that users can write stands in the documentation.
func TestEveryKeyIsDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(filepath.Join("..", "..", "docs", "policy.md"))
	if err != nil {
		t.Fatal(err)
	}
	keys := map[string]bool{}
	collectKeys(reflect.TypeFor[Config](), keys, map[reflect.Type]bool{})
	delete(keys, "preset") // which is written as the value itself
	if len(keys) < 60 {
		t.Fatalf("only %d keys", len(keys))
	}
	words := strings.FieldsFunc(string(text), func(r rune) bool { return r != '_' && (r < 'a' || r > 'z') })
	for key := range keys {
		if !slices.Contains(words, key) {
			t.Errorf("docs/policy.md does not tell of %s", key)
		}
	}
}

// collectKeys gathers the keys of a struct and of all below it.
func collectKeys(of reflect.Type, into map[string]bool, seen map[reflect.Type]bool) {
	switch of.Kind() {
	case reflect.Pointer, reflect.Slice, reflect.Map:
		collectKeys(of.Elem(), into, seen)
	case reflect.Struct:
		if seen[of] {
			return
		}
		seen[of] = true
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
			if name != "" && name != "-" && field.IsExported() {
				into[name] = true
			}
			collectKeys(field.Type, into, seen)
		}
	}
}
