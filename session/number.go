package session

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// isGreater compares two claims as JavaScript's > does: texts by their letters,
// all else as numbers. What counts as false there is 0.
func isGreater(a, b any) bool {
	first, ok := primitive(a).(string)
	second, also := primitive(b).(string)
	if ok && also && !isFalsy(a) && !isFalsy(b) {
		return first > second
	}
	return toNumber(a) > toNumber(b)
}

// primitive returns objects and lists as the text that JavaScript makes of them,
// and all else as it is.
func primitive(claim any) any {
	switch claim.(type) {
	case []any, map[string]any:
		text, _ := textOf(claim)
		return text
	}
	return claim
}

// toNumber returns the number that JavaScript makes of a claim.
func toNumber(claim any) float64 {
	switch v := primitive(claim).(type) {
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

// numberOf reads a whole text as Number of ECMAScript does (§ 7.1.4.1).
func numberOf(text string) float64 {
	text = strings.TrimSpace(text)
	switch {
	case text == "":
		return 0
	case strings.TrimLeft(text, "+-") == "Infinity" && len(text) <= len("+Infinity"):
		if text[0] == '-' {
			return math.Inf(-1)
		}
		return math.Inf(1)
	case len(text) > 2 && text[0] == '0' && strings.ContainsAny(text[1:2], "xXoObB") && !strings.Contains(text, "_"):
		if n, ok := new(big.Int).SetString(text, 0); ok {
			number, _ := new(big.Float).SetInt(n).Float64()
			return number
		}
	case strings.Trim(text, "0123456789.eE+-") == "":
		if n, err := strconv.ParseFloat(text, 64); err == nil || math.IsInf(n, 0) {
			return n
		}
	}
	return math.NaN()
}
