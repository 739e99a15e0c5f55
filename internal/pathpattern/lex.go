package pathpattern

import (
	"strings"
	"unicode/utf8"
)

// lexeme is a piece of a pattern, as path-to-regexp's lexer cuts it.
type lexeme struct {
	kind   lexKind
	offset int    // of its first byte
	text   string // the name, expression or character, without its marks
}

type lexKind uint8

const (
	lexEnd      lexKind = iota
	lexChar             // a character that stands for itself
	lexEscaped          // a character after a backslash
	lexModifier         // ? * +
	lexOpen             // {
	lexClose            // }
	lexName             // :name
	lexPattern          // (expression)
)

// lex cuts a pattern. The last lexeme is lexEnd.
func lex(pattern string) ([]lexeme, *SyntaxError) {
	var out []lexeme
	for i := 0; i < len(pattern); {
		l, next, err := lexOne(pattern, i)
		if err != nil {
			return nil, err
		}
		out = append(out, l)
		i = next
	}
	return append(out, lexeme{kind: lexEnd, offset: len(pattern)}), nil
}

func lexOne(pattern string, i int) (l lexeme, next int, err *SyntaxError) {
	l.offset = i
	switch pattern[i] {
	case '*', '+', '?':
		l.kind = lexModifier
	case '{':
		l.kind = lexOpen
	case '}':
		l.kind = lexClose
	case ':':
		return lexParam(pattern, i)
	case '(':
		return lexExpression(pattern, i)
	case '\\':
		l.kind = lexEscaped
		if i++; i == len(pattern) {
			return l, i, nil // a backslash at the end yields nothing
		}
	default:
		l.kind = lexChar
	}
	_, size := utf8.DecodeRuneInString(pattern[i:])
	l.text = pattern[i : i+size]
	return l, i + size, nil
}

func lexParam(pattern string, i int) (lexeme, int, *SyntaxError) {
	end := i + 1
	for end < len(pattern) && isWord(pattern[end]) {
		end++
	}
	if end == i+1 {
		return lexeme{}, 0, &SyntaxError{
			Pattern: pattern, Offset: i,
			Msg:        "a parameter needs a name of A-Z, a-z, 0-9 or _ after the colon; for a colon itself escape it",
			Suggestion: pattern[:i] + `\` + pattern[i:],
		}
	}
	return lexeme{lexName, i, pattern[i+1 : end]}, end, nil
}

// lexExpression reads up to the parenthesis that balances the one at i. It
// counts parentheses alone, so a class that holds one has to escape it.
func lexExpression(pattern string, i int) (lexeme, int, *SyntaxError) {
	fail := func(offset int, msg, suggestion string) (lexeme, int, *SyntaxError) {
		return lexeme{}, 0, &SyntaxError{Pattern: pattern, Offset: offset, Msg: msg, Suggestion: suggestion}
	}
	if strings.HasPrefix(pattern[i+1:], "?") {
		return fail(i+1, "an expression cannot start with ?; put another group around it", groupAround(pattern, i))
	}
	depth := 1
	for j := i + 1; j < len(pattern); j++ {
		switch pattern[j] {
		case '\\':
			j++
		case '(':
			if !strings.HasPrefix(pattern[j+1:], "?") {
				return fail(j, "a group within an expression cannot capture", pattern[:j+1]+"?:"+pattern[j+1:])
			}
			depth++
		case ')':
			if depth--; depth > 0 {
				break
			}
			if j == i+1 {
				return fail(i, "the expression is empty", pattern[:j]+".*"+pattern[j:])
			}
			return lexeme{lexPattern, i, pattern[i+1 : j]}, j + 1, nil
		}
	}
	return fail(i, "this parenthesis is never closed; for a parenthesis itself escape it", "")
}

// groupAround encloses the group at i in another, or returns "" when it has no end.
func groupAround(pattern string, i int) string {
	depth := 0
	for j := i; j < len(pattern); j++ {
		switch pattern[j] {
		case '\\':
			j++
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return pattern[:i] + "(" + pattern[i:j+1] + ")" + pattern[j+1:]
			}
		}
	}
	return ""
}

func isWord(c byte) bool {
	return '0' <= c && c <= '9' || 'A' <= c && c <= 'Z' || 'a' <= c && c <= 'z' || c == '_'
}
