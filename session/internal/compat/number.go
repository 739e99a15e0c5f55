package compat

import (
	"math"
	"math/big"
	"strconv"
	"strings"
)

// IsGreater compares two claims as JavaScript's > does (ECMAScript § 7.2.12): texts by their letters,
// all else as numbers. What counts as false there is 0.
func IsGreater(a, b any) bool {
	first, ok := primitive(a).(string)
	second, also := primitive(b).(string)
	if ok && also && !IsFalsy(a) && !IsFalsy(b) {
		return first > second
	}
	return JSNumber(a) > JSNumber(b)
}

// primitive returns objects and lists as the text that JavaScript makes of them,
// and all else as it is.
func primitive(claim any) any {
	switch claim.(type) {
	case []any, map[string]any:
		text, _ := JSText(claim)
		return text
	}
	return claim
}

// JSNumber returns the number that JavaScript makes of a claim (ECMAScript § 7.1.4); NaN
// where it makes none.
func JSNumber(claim any) float64 {
	switch v := primitive(claim).(type) {
	case float64:
		return v
	case string:
		return ParseNumber(v)
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

// ParseNumber reads a whole text as Number of ECMAScript does (§ 7.1.4.1).
func ParseNumber(text string) float64 {
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

// ParseInt reads a text as parseInt of ECMAScript does (§ 19.2.5): as much of a number
// as stands at its beginning. It returns 0 where parseInt finds none, and infinity
// where there are too many digits.
func ParseInt(value string) float64 {
	value = strings.TrimLeft(value, " \t\n\v\f\r")
	digits, sign := strings.TrimLeft(value, "+-"), 1.0
	if len(value)-len(digits) > 1 {
		return 0
	}
	if strings.HasPrefix(value, "-") {
		sign = -1
	}
	base, set := 10, "0123456789"
	if rest, hex := strings.CutPrefix(strings.ToLower(digits), "0x"); hex {
		digits, base, set = rest, 16, "0123456789abcdef"
	}
	digits = digits[:len(digits)-len(strings.TrimLeft(digits, set))]
	if base == 16 {
		n, _ := strconv.ParseUint(digits, base, 64) // the largest where there are too many digits
		return sign * float64(n)
	}
	n, _ := strconv.ParseFloat(digits, 64) // infinite where there are too many digits
	return sign * n
}
