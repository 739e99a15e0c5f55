package session

import (
	"math"
	"strconv"
	"strings"
)

// isGreater compares two claims as JavaScript's > does: texts by their letters,
// all else as numbers. One that is missing is 0.
func isGreater(a, b any) bool {
	first, ok := a.(string)
	if second, also := b.(string); ok && also && first != "" && second != "" {
		return first > second
	}
	return toNumber(a) > toNumber(b)
}

// toNumber returns the number that JavaScript makes of a claim. Objects and lists
// are none.
func toNumber(claim any) float64 {
	switch v := claim.(type) {
	case float64:
		return v
	case string:
		return numberOf(v)
	case bool:
		if v {
			return 1
		}
		return 0
	case nil:
		return 0
	}
	return math.NaN()
}

// numberOf reads a whole text as Number of ECMAScript does, but for infinities.
func numberOf(text string) float64 {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return 0
	case len(text) > 2 && text[0] == '0' && strings.ContainsAny(text[1:2], "xXoObB") && !strings.Contains(text, "_"):
		if n, err := strconv.ParseUint(text, 0, 64); err == nil {
			return float64(n)
		}
	case strings.Trim(text, "0123456789.eE+-") == "":
		if n, err := strconv.ParseFloat(text, 64); err == nil {
			return n
		}
	}
	return math.NaN()
}
