package jsregexp

import (
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// A surrogate code unit cannot stand in a Go string. Beyond U+FFFF, where no
// code unit is, its place is taken by the rune that lies this much higher.
const (
	surrogateLow   = 0xD800
	surrogateHigh  = 0xDFFF
	surrogateShift = 0x100000 - surrogateLow
)

// Encode returns s with each character beyond U+FFFF written as two runes that
// stand for its UTF-16 surrogates, so that one rune is one code unit. A string
// without such characters is returned as it is, without allocation.
func Encode(s string) string {
	if !hasAstral(s) {
		return s
	}
	var b strings.Builder
	b.Grow(2 * len(s))
	for _, r := range s {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			b.WriteRune(high + surrogateShift)
			b.WriteRune(low + surrogateShift)
			continue
		}
		b.WriteRune(r)
	}
	return b.String()
}

// Decode undoes [Encode]. Half a character becomes U+FFFD.
func Decode(s string) string {
	if !hasAstral(s) {
		return s
	}
	var units []uint16
	for _, r := range s {
		if r > maxUnit {
			r -= surrogateShift
		}
		units = append(units, uint16(r))
	}
	return string(utf16.Decode(units))
}

// hasAstral reports whether s holds a character beyond U+FFFF: only those start
// with a byte of 0xF0 or more.
func hasAstral(s string) bool {
	for i := range len(s) {
		if s[i] >= 0xF0 {
			return true
		}
	}
	return false
}

// Units returns the UTF-16 code units of s, one a rune, appended to dst.
func Units(dst []rune, s string) []rune {
	for _, r := range s {
		if high, low := utf16.EncodeRune(r); high != utf8.RuneError {
			dst = append(dst, high, low)
			continue
		}
		dst = append(dst, r)
	}
	return dst
}

// Text returns the string that code units spell. Half a character becomes U+FFFD.
func Text(units []rune) string {
	u16 := make([]uint16, len(units))
	for i, u := range units {
		u16[i] = uint16(u)
	}
	return string(utf16.Decode(u16))
}
