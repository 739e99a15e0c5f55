package session

import (
	"errors"
	"slices"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// maxDepth bounds how deep the JSON of a token is nested.
const maxDepth = 64

// decodeObject reads exactly one JSON object (RFC 8259): well-formed UTF-8
// without a byte-order mark, no unpaired surrogate, no member twice at any
// depth, names taken byte for byte, numbers as float64.
func decodeObject(data []byte, r relaxations) (map[string]any, error) {
	var object map[string]any
	err := json.Unmarshal(data, &object, jsontext.AllowDuplicateNames(r.json), jsontext.AllowInvalidUTF8(r.json))
	switch {
	case err != nil:
		return nil, errors.New("not a well-formed JSON object") // the library's text may quote a claim
	case object == nil:
		return nil, errors.New("null in place of a JSON object")
	case !r.json && deeperThan(object, maxDepth):
		return nil, errors.New("JSON nested too deep")
	}
	return object, nil
}

// deeperThan reports whether a decoded value nests objects and arrays in more
// than so many levels.
func deeperThan(value any, levels int) bool {
	switch v := value.(type) {
	case map[string]any:
		if levels == 0 {
			return true
		}
		for _, member := range v {
			if deeperThan(member, levels-1) {
				return true
			}
		}
	case []any:
		return levels == 0 || slices.ContainsFunc(v, func(element any) bool { return deeperThan(element, levels-1) })
	}
	return false
}
