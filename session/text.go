package session

import (
	"math"
	"strings"

	"github.com/go-json-experiment/json"
)

// undefined is the text of what is absent.
const undefined = "undefined"

// textOfMember returns the text that JavaScript makes of a member.
func textOfMember(object map[string]any, name string) (string, bool) {
	value, present := object[name]
	if !present {
		return undefined, true
	}
	return textOf(value)
}

// textOf returns the text that JavaScript makes of a decoded JSON value. It makes
// none of objects that replace what it asks them.
func textOf(value any) (text string, ok bool) {
	switch v := value.(type) {
	case string:
		return v, true
	case float64:
		if v == 0 {
			return "0", true
		}
		if math.IsInf(v, 0) {
			return "Infinity", true
		}
		number, err := json.Marshal(v) // as ECMAScript writes them
		return string(number), err == nil
	case bool:
		if v {
			return "true", true
		}
		return "false", true
	case []any:
		return textOfList(v)
	case map[string]any:
		_, replaced := v["toString"]
		return "[object Object]", !replaced
	}
	return "null", true
}

// textOfList joins the texts of a list. Null is none there.
func textOfList(list []any) (string, bool) {
	texts := make([]string, len(list))
	for i, element := range list {
		if element == nil {
			continue
		}
		var ok bool
		if texts[i], ok = textOf(element); !ok {
			return "", false
		}
	}
	return strings.Join(texts, ","), true
}
