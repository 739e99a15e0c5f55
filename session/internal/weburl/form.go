package weburl

import (
	"slices"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/unicode"
)

// Form is a query as application/x-www-form-urlencoded reads it (WHATWG URL
// § 5): pairs in their order. Clerk's own library reads and writes queries so,
// and net/url does neither: it sorts, refuses semicolons and malformed escapes,
// and escapes other characters.
type Form []Pair

// Pair is a name and its value, both decoded.
type Pair struct{ Name, Value string }

// parseForm takes a query apart. Malformed escapes stand for themselves.
func parseForm(query string) Form {
	var f Form
	for piece := range strings.SplitSeq(query, "&") {
		if piece == "" {
			continue
		}
		name, value, _ := strings.Cut(piece, "=")
		f = append(f, Pair{decodeForm(name), decodeForm(value)})
	}
	return f
}

func decodeForm(text string) string {
	if !strings.ContainsAny(text, "+%") {
		return replaceInvalid(text)
	}
	out := make([]byte, 0, len(text))
	for i := 0; i < len(text); i++ {
		switch c := text[i]; {
		case c == '+':
			out = append(out, ' ')
		case c == '%' && i+2 < len(text) && unhex(text[i+1]) >= 0 && unhex(text[i+2]) >= 0:
			out = append(out, byte(unhex(text[i+1])<<4|unhex(text[i+2])))
			i += 2
		default:
			out = append(out, c)
		}
	}
	return replaceInvalid(string(out))
}

// replaceInvalid puts U+FFFD in place of what is not UTF-8, as the Encoding
// standard does it.
func replaceInvalid(text string) string {
	if utf8.ValidString(text) {
		return text
	}
	out, err := unicode.UTF8.NewDecoder().String(text)
	if err != nil {
		return strings.ToValidUTF8(text, "\uFFFD")
	}
	return out
}

// unhex returns the value of a hexadecimal digit, or -1.
func unhex(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

// Encode writes the pairs: letters, digits and *-._ as they are, a space as "+",
// all else escaped.
func (f Form) Encode() string {
	var b strings.Builder
	for i, p := range f {
		if i > 0 {
			b.WriteByte('&')
		}
		encodeForm(&b, p.Name)
		b.WriteByte('=')
		encodeForm(&b, p.Value)
	}
	return b.String()
}

func encodeForm(b *strings.Builder, text string) {
	for i := range len(text) {
		switch c := text[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', c == '*', c == '-', c == '.', c == '_':
			b.WriteByte(c)
		case c == ' ':
			b.WriteByte('+')
		default:
			writeEscape(b, c)
		}
	}
}

func writeEscape(b *strings.Builder, c byte) {
	const digits = "0123456789ABCDEF"
	b.Write([]byte{'%', digits[c>>4], digits[c&15]})
}

// Get returns the first value of a name, or "".
func (f Form) Get(name string) string {
	if i := f.index(name); i >= 0 {
		return f[i].Value
	}
	return ""
}

// Has reports whether there is a pair of a name, with a value or without.
func (f Form) Has(name string) bool { return f.index(name) >= 0 }

func (f Form) index(name string) int {
	return slices.IndexFunc(f, func(p Pair) bool { return p.Name == name })
}

// Without returns the form without these names.
func (f Form) Without(names ...string) Form {
	return slices.DeleteFunc(slices.Clone(f), func(p Pair) bool { return slices.Contains(names, p.Name) })
}

// Set gives the first pair of a name the value and drops the others, or adds
// one.
func (f Form) Set(name, value string) Form {
	at := f.index(name)
	if at < 0 {
		return append(f, Pair{name, value})
	}
	out := f.Without(name)
	return slices.Insert(out, at, Pair{name, value})
}
