package compat

import (
	"math"
	"net/url"
	"strings"
	"unicode/utf8"

	"github.com/go-json-experiment/json"
)

// undefined is the text of what is absent.
const undefined = "undefined"

// JSTextOf returns the text that JavaScript makes of a member, as [JSText] does; that of
// an absent one is "undefined".
func JSTextOf(object map[string]any, name string) (string, bool) {
	value, present := object[name]
	if !present {
		return undefined, true
	}
	return JSText(value)
}

// JSText returns the text that JavaScript makes of a decoded JSON value (ECMAScript
// § 7.1.17). It is not ok for objects that replace what JavaScript asks them: it makes
// none of those.
func JSText(value any) (text string, ok bool) {
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
		if texts[i], ok = JSText(element); !ok {
			return "", false
		}
	}
	return strings.Join(texts, ","), true
}

// IsFalsy reports whether a decoded JSON value is one that JavaScript takes for
// false (ECMAScript § 7.1.2).
func IsFalsy(v any) bool {
	return v == nil || v == "" || v == float64(0) || v == false
}

// DecodeURIComponent decodes percent escapes as the function of ECMAScript of
// that name does (§ 19.2.6.2), and returns what that refuses unchanged.
func DecodeURIComponent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	decoded, err := url.PathUnescape(s)
	if err != nil || !utf8.ValidString(decoded) {
		return s
	}
	return decoded
}
