package document

import (
	"bytes"
	"encoding/json"
	"errors"
	"strconv"
	"strings"
	"unicode/utf8"
)

// readJSON parses a JSON document into root. It does not go through the YAML parser, which does
// not take all of JSON's escapes.
func (b *builder) readJSON(root *node, data []byte) *node {
	if len(bytes.TrimSpace(data)) == 0 {
		return root
	}
	if offset, reason := unreadable(data, anyCharacter); reason != "" {
		root.pos = lineAndColumn(b.file, data, offset)
		return root.fail(b.found, reason)
	}
	var whole json.RawMessage
	if err := json.Unmarshal(data, &whole); err != nil {
		if e, ok := errors.AsType[*json.SyntaxError](err); ok {
			root.pos = lineAndColumn(b.file, data, int(e.Offset)-1)
		}
		return root.fail(b.found, "not valid JSON: "+err.Error())
	}
	r := &jsonReader{builder: b, data: data, tokens: json.NewDecoder(bytes.NewReader(data))}
	r.at = Position{File: b.file, Line: 1, Column: 1}
	r.tokens.UseNumber()
	token, at := r.next()
	r.fill(root, token, at, 0)
	if r.err != nil {
		return root.fail(b.found, "not valid JSON: "+r.err.Error())
	}
	return root
}

// anyCharacter: what JSON does not take as it is, its parser refuses.
func anyCharacter(rune) bool { return true }

// jsonReader walks the tokens of a document that is known to be valid JSON.
type jsonReader struct {
	*builder
	data   []byte
	tokens *json.Decoder
	err    error

	read int      // bytes counted so far
	at   Position // the position they reach
}

// next returns the next token and where it starts.
func (r *jsonReader) next() (json.Token, Position) {
	start := int(r.tokens.InputOffset())
	for start < len(r.data) && strings.IndexByte(" \t\r\n,:", r.data[start]) >= 0 {
		start++
	}
	r.count(start)
	token, err := r.tokens.Token()
	if err != nil {
		r.err = err
	}
	return token, r.at
}

// count moves the position forward to an offset. Going from token to token, it looks at every
// byte once.
func (r *jsonReader) count(offset int) {
	for _, c := range r.data[r.read:offset] {
		switch {
		case c == '\n':
			r.at.Line++
			r.at.Column = 1
		case utf8.RuneStart(c):
			r.at.Column++
		}
	}
	r.read = offset
}

// fill makes n of a token and, for a list or a mapping, of those up to its end.
func (r *jsonReader) fill(n *node, token json.Token, at Position, depth int) {
	n.style = jsonString
	switch t := token.(type) {
	case bool:
		n.kind, n.value = boolean, strconv.FormatBool(t)
	case json.Number:
		n.kind, n.value = number, t.String()
	case string:
		n.kind, n.value = text, t
	case json.Delim:
		n.kind = list
		if t == '{' {
			n.kind = mapping
		}
	}
	n.place(at)
	switch {
	case n.kind != list && n.kind != mapping:
	case r.tooDeep(n, depth):
		r.skip()
	case n.kind == list:
		r.list(n, depth)
	default:
		r.mapping(n, depth)
	}
}

func (r *jsonReader) list(n *node, depth int) {
	for r.err == nil && r.tokens.More() {
		token, at := r.next()
		r.fill(r.element(n), token, at, depth+1)
	}
	r.next()
}

func (r *jsonReader) mapping(n *node, depth int) {
	keys := map[string]Position{}
	for r.err == nil && r.tokens.More() {
		key, keyPos := r.next()
		name, _ := key.(string)
		value := r.entry(n, keys, name, keyPos)
		token, at := r.next()
		r.fill(value, token, at, depth+1)
	}
	r.next()
}

// skip reads to the end of the list or mapping that has been opened.
func (r *jsonReader) skip() {
	for open := 1; open > 0 && r.err == nil; {
		token, _ := r.next()
		switch token {
		case json.Delim('['), json.Delim('{'):
			open++
		case json.Delim(']'), json.Delim('}'):
			open--
		}
	}
}
