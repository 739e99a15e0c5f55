package pathpattern

import (
	"regexp"
	"strings"
)

// Mistake tells what is wrong with a pattern that no request could ever meet, or
// that is written as other tools write theirs; nil where nothing is. It finds some
// that are no patterns at all, with a better word for it than [Compile] has. A mark
// that is meant as itself stands behind a backslash.
func Mistake(pattern string) *SyntaxError {
	for _, check := range []func(string) *SyntaxError{
		space, url, doubledBackslash, anchor, letterClass, start, marks, segments,
	} {
		if wrong := check(pattern); wrong != nil {
			wrong.Pattern = pattern
			return wrong
		}
	}
	if p, err := Compile(pattern, Options{}); err == nil {
		return p.mistake()
	}
	return nil
}

// mistake finds what shows only in the pieces of a pattern, and what nobody
// thought of.
func (p *Pattern) mistake() *SyntaxError {
	for _, t := range p.tokens {
		text := t.text + t.prefix + t.suffix
		for _, escape := range escapes.FindAllString(text, -1) {
			plain, err := decode(escape)
			upper := strings.ToUpper(escape)
			switch {
			case err != nil:
				return &SyntaxError{Pattern: p.text, Msg: escape + " is in no path: it is not UTF-8"}
			case strings.Contains(upper, "%2F"), strings.Contains(upper, "%5C"):
				return &SyntaxError{Pattern: p.text, Msg: "a request with " + escape + " is refused before any rule is asked"}
			case plain != escape:
				return &SyntaxError{Pattern: p.text, Msg: "a path is decoded before it is matched, so that none holds " + escape, Suggestion: strings.ReplaceAll(p.text, escape, plain)}
			}
		}
	}
	l, ok := p.Language()
	if !ok {
		return nil
	}
	if _, found, known := l.Example(); known && !found {
		wrong := &SyntaxError{Pattern: p.text, Msg: "no path can meet it: a path starts with / and has no empty segments"}
		if p.text[0] == '(' || p.text[0] == ':' {
			wrong.Suggestion = "/" + p.text
		}
		return wrong
	}
	return nil
}

var escapes = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`)

func space(pattern string) *SyntaxError {
	trimmed := strings.TrimSpace(pattern)
	switch {
	case trimmed != pattern:
		return &SyntaxError{Msg: "a path neither begins nor ends with white space", Suggestion: trimmed}
	case strings.ContainsFunc(pattern, func(r rune) bool { return r < ' ' || r == 0x7f }):
		return &SyntaxError{Msg: "a path has no control characters"}
	}
	for i := range outside(pattern) {
		if i > 0 && pattern[i] == '/' && strings.IndexByte(" ,;|", pattern[i-1]) >= 0 {
			return &SyntaxError{Offset: i, Msg: "these are two patterns in one; write a list of them"}
		}
	}
	return nil
}

func url(pattern string) *SyntaxError {
	m := absolute.FindStringSubmatch(pattern)
	if m == nil {
		return nil
	}
	return &SyntaxError{Msg: "a pattern is for paths, without scheme and host; hosts are a match of their own", Suggestion: "/" + strings.TrimLeft(m[1], "/")}
}

var absolute = regexp.MustCompile(`^(?:[A-Za-z][A-Za-z0-9+.-]*:|\*:)?//[^/]*(/.*)?$`)

// doubledBackslash finds what stands in the source of a program, where a string
// needs two backslashes for one.
func doubledBackslash(pattern string) *SyntaxError {
	at := strings.Index(pattern, `\\`)
	if at < 0 {
		return nil
	}
	return &SyntaxError{Offset: at, Msg: `two backslashes mean a backslash, which no path has; here one does`, Suggestion: strings.ReplaceAll(pattern, `\\`, `\`)}
}

// anchor finds the anchors of regular expressions outside parentheses.
func anchor(pattern string) *SyntaxError {
	bare := strings.TrimPrefix(pattern, "^")
	if last := len(bare) - 1; last > 0 && bare[last] == '$' && bare[last-1] != '\\' {
		bare = bare[:last]
	}
	if bare == pattern {
		return nil
	}
	return &SyntaxError{Msg: "^ and $ stand for themselves here; a pattern always means the whole path", Suggestion: bare}
}

// letterClass finds \d, \w and the like outside parentheses.
func letterClass(pattern string) *SyntaxError {
	for i := range outside(pattern) {
		if pattern[i] == '\\' && i+1 < len(pattern) && isWord(pattern[i+1]) {
			class := pattern[i : i+2]
			return &SyntaxError{Offset: i, Msg: class + " is an expression, which stands in parentheses", Suggestion: pattern[:i] + "(" + class + ")" + pattern[i+2:]}
		}
	}
	return nil
}

func start(pattern string) *SyntaxError {
	if pattern == "" || strings.IndexByte(`/({:\*`, pattern[0]) >= 0 {
		return nil
	}
	if host, path, ok := strings.Cut(pattern, "/"); ok && strings.ContainsAny(host, ".:") && !strings.HasPrefix(host, ".") {
		return &SyntaxError{Msg: "no path can meet it: a path starts with /, and hosts are a match of their own", Suggestion: "/" + path}
	}
	return &SyntaxError{Msg: "no path can meet it: a path starts with /", Suggestion: "/" + strings.TrimPrefix(pattern, "./")}
}

// marks finds characters that no path has, or that other tools give a meaning.
func marks(pattern string) *SyntaxError {
	for i := range outside(pattern) {
		switch pattern[i] {
		case '#':
			return &SyntaxError{Offset: i, Msg: "what follows a # is never sent to a server", Suggestion: pattern[:i]}
		case '|':
			return &SyntaxError{Offset: i, Msg: "| means \"or\" in parentheses alone: /(a|b); or write a list of patterns"}
		case '<', '>':
			return &SyntaxError{Offset: i, Msg: "no path has < or >; a parameter is written :name", Suggestion: parameters.ReplaceAllString(pattern, "/:$1")}
		case '\\':
			if i+1 < len(pattern) && (pattern[i+1] == '?' || pattern[i+1] == '#') {
				return &SyntaxError{Offset: i, Msg: "no path has a " + pattern[i+1:i+2] + ": it ends there", Suggestion: pattern[:i]}
			}
		}
	}
	return nil
}

var parameters = regexp.MustCompile(`/<(?:[a-z]+:)?([A-Za-z_][A-Za-z0-9_]*)>`)

// segments finds the file names of frameworks, and segments that no path has.
func segments(pattern string) *SyntaxError {
	if strings.Contains(pattern, "//") && !strings.Contains(pattern, "(") {
		return &SyntaxError{Msg: "no path has an empty segment", Suggestion: mergeSlashes(pattern)}
	}
	for at, segment := range segmentsOf(pattern) {
		for _, n := range notations {
			m := n.form.FindStringSubmatch(segment)
			if m == nil {
				continue
			}
			wrong := &SyntaxError{Offset: at, Msg: segment + " " + n.msg}
			if n.instead != "" || n.drop {
				replaced := strings.TrimSuffix(pattern[:at], "/")
				if n.instead != "" {
					replaced += "/" + n.form.ReplaceAllString(segment, n.instead)
				}
				wrong.Suggestion = replaced + pattern[at+len(segment):]
				if wrong.Suggestion == "" {
					wrong.Suggestion = "/"
				}
			}
			return wrong
		}
	}
	return nil
}

// notations are how frameworks write in file names, and other tools in patterns,
// what a pattern writes otherwise.
var notations = []struct {
	form    *regexp.Regexp // of a segment
	msg     string
	instead string
	drop    bool // the segment is in no path
}{
	{form: regexp.MustCompile(`^\.\.?$`), msg: "is in no path that is judged: such a request is refused"},
	{form: regexp.MustCompile(`^\[\[\.\.\.([A-Za-z0-9_]+)\]\]$`), msg: "is a file name of Next.js, not a pattern", instead: ":$1*"},
	{form: regexp.MustCompile(`^\[\.\.\.([A-Za-z0-9_]+)(?:=\w+)?\]$`), msg: "is a file name of a framework, not a pattern", instead: ":$1+"},
	{form: regexp.MustCompile(`^\[\[([A-Za-z0-9_]+)(?:=\w+)?\]\]$`), msg: "is a file name of a framework, not a pattern", instead: ":$1?"},
	{form: regexp.MustCompile(`^\[([A-Za-z0-9_]+)(?:=\w+)?\]$`), msg: "is a file name of a framework, not a pattern", instead: ":$1"},
	{form: regexp.MustCompile(`^\((\.{1,3}|\.\.\)\(\.\.)\)[^()]*$`), msg: "is a file name of Next.js for an intercepted route, which is no part of a path"},
	{form: regexp.MustCompile(`^\([A-Za-z0-9_-]+\)$`), msg: "is a route group of a framework, which is no part of a path; for the word itself leave the parentheses out", drop: true},
	{form: regexp.MustCompile(`^\{([A-Za-z_][A-Za-z0-9_]*)(?::[^{}]*)?\}$`), msg: "is no parameter here: braces make what is in them optional", instead: ":$1"},
	{form: regexp.MustCompile(`^\{\*+([A-Za-z_][A-Za-z0-9_]*)\}$`), msg: "is no parameter here: braces make what is in them optional", instead: ":$1*"},
	{form: regexp.MustCompile(`^\{\$\}$`), msg: "is no end here: a pattern always means the whole path", drop: true},
	{form: regexp.MustCompile(`^(?:[^\\(]*[^\\(])?\[[^()]*\][^()]*$`), msg: "has brackets, which stand for themselves outside an expression; a parameter is written :name, a bracket itself \\["},
	{form: regexp.MustCompile(`^\+?(?:page|layout|route|\+server|\+page)(?:\.server)?\.(?:tsx?|jsx|svelte|vue|astro)$`), msg: "is a file of the source, which is no part of a path", drop: true},
}

// outside yields the offsets of a pattern that are in no expression. A backslash
// comes with what follows it.
func outside(pattern string) func(yield func(int) bool) {
	return func(yield func(int) bool) {
		depth := 0
		for i := 0; i < len(pattern); i++ {
			switch c := pattern[i]; {
			case c == '(':
				depth++
			case c == ')':
				depth = max(0, depth-1)
			case depth == 0 && !yield(i):
				return
			}
			if pattern[i] == '\\' {
				i++
			}
		}
	}
}

// segmentsOf yields the segments of a pattern with their offsets. A slash in an
// expression or in braces ends none.
func segmentsOf(pattern string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		from, braces := 0, 0
		for i := range outside(pattern) {
			switch pattern[i] {
			case '{':
				braces++
			case '}':
				braces = max(0, braces-1)
			case '/':
				if braces == 0 {
					if !yield(from, pattern[from:i]) {
						return
					}
					from = i + 1
				}
			}
		}
		yield(from, pattern[from:])
	}
}
