package pathpattern

import (
	"strconv"
	"strings"
)

const (
	delimiters = "/#?"        // what ends a segment, and may stand once at the end of a path
	anySegment = `[^\/#\?]+?` // a parameter without an expression
	prefixes   = "./"         // characters that belong to the parameter after them
)

// token is a piece of text, or a parameter or brace group.
type token struct {
	text   string // when it is no group
	group  bool
	offset int // of the group in the pattern

	name           string
	prefix, suffix string
	expression     string // "" for a brace group that is text only
	inline         int    // offset of the expression in the pattern, or -1 for the default one
	modifier       string // "", "?", "*" or "+"
}

// repeated reports whether the token may occur more than once.
func (t token) repeated() bool { return t.modifier == "+" || t.modifier == "*" }

// parser follows path-to-regexp 6.3.0, choice by choice.
type parser struct {
	pattern string
	lexemes []lexeme
	tokens  []token
	text    strings.Builder // not yet a token
	unnamed int
}

func parse(pattern string) ([]token, *SyntaxError) {
	lexemes, err := lex(pattern)
	if err != nil {
		return nil, err
	}
	p := &parser{pattern: pattern, lexemes: lexemes}
	for len(p.lexemes) > 0 {
		if err := p.next(); err != nil {
			return nil, err
		}
	}
	return p.tokens, nil
}

// next reads one token, one character, or the end.
func (p *parser) next() *SyntaxError {
	offset := p.lexemes[0].offset
	char, _ := p.take(lexChar)
	name, named := p.take(lexName)
	expression, constrained := p.take(lexPattern)
	if named || constrained {
		if !strings.Contains(prefixes, char.text) {
			p.text.WriteString(char.text)
			offset += len(char.text)
			char.text = ""
		}
		p.flush()
		return p.group(token{offset: offset, prefix: char.text}, name, expression)
	}
	if char.text != "" {
		p.text.WriteString(char.text)
		return nil
	}
	if escaped, ok := p.take(lexEscaped); ok && escaped.text != "" {
		p.text.WriteString(escaped.text)
		return nil
	}
	p.flush()
	if _, ok := p.take(lexOpen); ok {
		return p.braces(offset)
	}
	if _, ok := p.take(lexEnd); !ok {
		return p.unexpected(false)
	}
	return nil
}

// braces reads what follows a {.
func (p *parser) braces(offset int) *SyntaxError {
	t := token{offset: offset, prefix: p.takeText()}
	name, _ := p.take(lexName)
	expression, _ := p.take(lexPattern)
	t.suffix = p.takeText()
	if _, ok := p.take(lexClose); !ok {
		return p.unexpected(true)
	}
	return p.group(t, name, expression)
}

// group completes a token by its name, expression and modifier.
func (p *parser) group(t token, name, expression lexeme) *SyntaxError {
	t.group, t.inline, t.name, t.expression = true, -1, name.text, expression.text
	switch {
	case expression.text != "":
		t.inline = expression.offset + 1
		if t.name == "" {
			t.name = strconv.Itoa(p.unnamed)
			p.unnamed++
		}
	case name.text != "":
		var err *SyntaxError
		if t.expression, err = p.safeExpression(t.prefix, name); err != nil {
			return err
		}
	}
	modifier, _ := p.take(lexModifier)
	t.modifier = modifier.text
	p.tokens = append(p.tokens, t)
	return p.checkRepeat(t)
}

// safeExpression is what a parameter without an expression takes: a segment,
// in which the text before the parameter does not occur again.
func (p *parser) safeExpression(prefix string, name lexeme) (string, *SyntaxError) {
	before := prefix
	if n := len(p.tokens); before == "" && n > 0 {
		if before = p.tokens[n-1].text; before == "" {
			return "", &SyntaxError{
				Pattern: p.pattern, Offset: name.offset,
				Msg:        "there must be text between two parameters",
				Suggestion: p.pattern[:name.offset] + "/" + p.pattern[name.offset:],
			}
		}
	}
	if before == "" || strings.ContainsAny(before, delimiters) {
		return anySegment, nil
	}
	return `(?:(?!` + quote(before) + `)[^\/#\?])+?`, nil
}

// checkRepeat refuses to repeat what has nothing to keep its repetitions apart.
func (p *parser) checkRepeat(t token) *SyntaxError {
	if !t.repeated() || t.expression == "" || t.prefix != "" || t.suffix != "" {
		return nil
	}
	err := &SyntaxError{
		Pattern: p.pattern, Offset: t.offset,
		Msg: "only a parameter after a / or ., or a brace group with text in it, can be repeated with " + t.modifier,
	}
	if t.inline >= 0 && p.pattern[t.offset] != '{' {
		before, after := p.pattern[:t.inline], p.pattern[t.inline+len(t.expression):]
		err.Suggestion = before + "(?:" + t.expression + ")" + t.modifier + ")" + after[len(")")+len(t.modifier):]
	}
	return err
}

// unexpected explains the lexeme that nothing can be made of.
func (p *parser) unexpected(inBraces bool) *SyntaxError {
	l := p.lexemes[0]
	err := &SyntaxError{Pattern: p.pattern, Offset: l.offset}
	before, after := p.pattern[:l.offset], p.pattern[l.offset+min(1, len(p.pattern)-l.offset):]
	switch {
	case inBraces && l.kind == lexEnd:
		err.Msg = "a brace is never closed; for a brace itself escape it"
	case inBraces:
		err.Msg = "a brace group is text, then at most one parameter, then text"
	case l.kind == lexClose:
		err.Msg = "this } closes nothing; for a brace itself escape it"
		err.Suggestion = before + `\}` + after
	case l.text == "*":
		err.Msg = "a bare * is not a wildcard"
		err.Suggestion = strings.TrimSuffix(strings.TrimSuffix(before, "."), "(.*)") + "(.*)" + strings.TrimLeft(after, "*")
	case l.text == "?":
		err.Msg = "a ? stands only after a parameter or a brace group; the query is no part of the path"
		if after == "" || strings.Contains(after, "=") {
			err.Suggestion = before
		}
	case strings.HasSuffix(before, "."):
		err.Msg = "an expression stands in parentheses"
		err.Suggestion = strings.TrimSuffix(before, ".") + "(.+)" + after
	default:
		err.Msg = "a + stands only after a parameter or a brace group; for a plus itself escape it"
		err.Suggestion = before + `\+` + after
	}
	return err
}

// take steps over the next lexeme if it is of a kind.
func (p *parser) take(kind lexKind) (lexeme, bool) {
	if len(p.lexemes) == 0 || p.lexemes[0].kind != kind {
		return lexeme{}, false
	}
	l := p.lexemes[0]
	p.lexemes = p.lexemes[1:]
	return l, true
}

// takeText steps over characters, escaped or not.
func (p *parser) takeText() string {
	var b strings.Builder
	for {
		l, ok := p.take(lexChar)
		if !ok {
			l, ok = p.take(lexEscaped)
		}
		if !ok {
			return b.String()
		}
		b.WriteString(l.text)
	}
}

// flush makes a token of the text so far.
func (p *parser) flush() {
	if p.text.Len() > 0 {
		p.tokens = append(p.tokens, token{text: p.text.String()})
		p.text.Reset()
	}
}
