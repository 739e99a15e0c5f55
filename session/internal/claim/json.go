package claim

import (
	"bytes"
	lenient "encoding/json"
	"errors"
	"math"
	"strconv"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"github.com/clerkgate/clerkgate/session/internal/compat"
)

// maxDepth bounds how deep the JSON of a token is nested.
const maxDepth = 64

// DecodeObject reads exactly one JSON object (RFC 8259): well-formed UTF-8
// without a byte-order mark, no unpaired surrogate, no member twice at any
// depth, names taken byte for byte, numbers as float64. Errors hold no text of it.
func DecodeObject(data []byte, r compat.Relaxations) (map[string]any, error) {
	if !r.JSON && nestsDeep(data) {
		return nil, errors.New("JSON nested too deep")
	}
	if r.JSON {
		data = bytes.TrimPrefix(data, []byte("\ufeff"))
	}
	value, err := readValue(data, r)
	if err != nil {
		return nil, errors.New("not well-formed JSON") // the library's text may quote a claim
	}
	object, ok := value.(map[string]any)
	switch {
	case r.JSON && value == nil:
		return nil, ErrNull
	case r.JSON && !ok:
		return map[string]any{}, nil // which has no member either
	case !ok:
		return nil, errors.New("not a JSON object")
	}
	return object, nil
}

// readValue reads into any, which is faster than into a map.
func readValue(data []byte, r compat.Relaxations) (value any, err error) {
	if r.JSON {
		err = lenient.Unmarshal(data, &value) // the last of members of one name counts
		return value, err
	}
	if err = json.Unmarshal(data, &value); errors.Is(err, strconv.ErrRange) {
		value = nil
		err = json.Unmarshal(data, &value, saturated)
	}
	return value, err
}

// saturated reads numbers beyond those of float64 as the largest there is. They
// are JSON all the same, and need not be in a claim that anybody looks at.
var saturated = json.WithUnmarshalers(json.UnmarshalFromFunc(func(d *jsontext.Decoder, value *any) error {
	if d.PeekKind() != '0' {
		return errors.ErrUnsupported
	}
	text, err := d.ReadValue()
	if err != nil {
		return err
	}
	number, _ := strconv.ParseFloat(string(text), 64) // infinite where it is out of range
	*value = max(-math.MaxFloat64, min(number, math.MaxFloat64))
	return nil
}))

// ErrNull is for the reference, which takes JSON's null for an object until it
// looks into it.
var ErrNull = errors.New("JSON null in place of an object")

// nestsDeep reports whether objects and arrays nest in more than [maxDepth]
// levels, before anything is allocated for them. Text that is not JSON does not.
func nestsDeep(data []byte) bool {
	if bytes.Count(data, []byte("{"))+bytes.Count(data, []byte("[")) <= maxDepth {
		return false
	}
	d := jsontext.NewDecoder(bytes.NewReader(data), jsontext.AllowDuplicateNames(true))
	for d.StackDepth() <= maxDepth {
		if _, err := d.ReadToken(); err != nil {
			return false
		}
	}
	return true
}
