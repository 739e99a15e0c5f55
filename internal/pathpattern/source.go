package pathpattern

import (
	"strings"
	"unicode/utf8"
)

// source is the JavaScript regular expression that path-to-regexp builds, with
// the places where the pattern's own pieces stand in it.
type source struct {
	strings.Builder
	groups  []int     // by parameter: the offset of its capturing parenthesis
	inlines []segment // expressions taken from the pattern
}

// segment says that length bytes at in of the source come from at of the pattern.
type segment struct{ in, length, at int }

// build writes the expression for tokens as text, for it is text that the
// reference compiles: an expression may, with a lone bracket, reach beyond its end.
func build(tokens []token) *source {
	s := &source{}
	s.WriteByte('^')
	for _, t := range tokens {
		switch {
		case !t.group:
			s.WriteString(quote(t.text))
		case t.expression == "":
			s.WriteString(`(?:` + quote(t.prefix) + quote(t.suffix) + `)` + t.modifier)
		default:
			s.parameter(t)
		}
	}
	s.WriteString(`[\/#\?]?$`)
	return s
}

func (s *source) parameter(t token) {
	prefix, suffix := quote(t.prefix), quote(t.suffix)
	if prefix == "" && suffix == "" {
		s.capture(t)
		s.WriteString(`)` + t.modifier)
		return
	}
	s.WriteString(`(?:` + prefix)
	modifier := t.modifier
	if t.repeated() {
		s.repetition(t, suffix+prefix)
		modifier = strings.Trim(strings.Replace(modifier, "*", "?", 1), "+")
	} else {
		s.capture(t)
	}
	s.WriteString(`)` + suffix + `)` + modifier)
}

// repetition opens a capture of one or more expressions with between them.
func (s *source) repetition(t token, between string) {
	s.groups = append(s.groups, s.Len())
	s.WriteString(`((?:`)
	s.expression(t)
	s.WriteString(`)(?:` + between + `(?:`)
	s.expression(t)
	s.WriteString(`))*`)
}

// capture opens a capture of one expression.
func (s *source) capture(t token) {
	s.groups = append(s.groups, s.Len())
	s.WriteByte('(')
	s.expression(t)
}

func (s *source) expression(t token) {
	if t.inline >= 0 {
		s.inlines = append(s.inlines, segment{s.Len(), len(t.expression), t.inline})
	}
	s.WriteString(t.expression)
}

// origin returns where in the pattern an offset of the source comes from.
func (s *source) origin(offset int) int {
	at := 0
	for _, in := range s.inlines {
		if offset >= in.in {
			at = in.at + min(offset-in.in, in.length)
		}
	}
	return at
}

// quote escapes what means something in an expression.
func quote(text string) string {
	var b strings.Builder
	for _, r := range text {
		if r < utf8.RuneSelf && strings.IndexByte(`.+*?=^!:${}()[]|/\`, byte(r)) >= 0 {
			b.WriteByte('\\')
		}
		b.WriteRune(r)
	}
	return b.String()
}
