// Package pathpattern matches request paths against patterns in the dialect of
// Clerk's createRouteMatcher: path-to-regexp 6.3.0 with its default options.
//
//	/dashboard(.*)        /dashboard and all that starts with it
//	/users/:id            one segment, captured
//	/users/:id(\d+)       one segment of digits
//	/files/:path*         /files and everything below, captured
//	/blog{/:slug}?        an optional part
//	/((?!public).*)       any JavaScript expression, look-ahead included
//
// Patterns are case-insensitive by default, match the whole path, and put up with one of
// / # ? after its end. There are no globs: a bare * is an error.
//
// A pattern means what it means in JavaScript, down to UTF-16 code units and
// case folding (see package jsregexp). Nearly all are matched by a table, in
// linear time and without allocation, look-ahead included; look-behind,
// back-references and word boundaries run on a backtracking engine, under a limit.
package pathpattern

import (
	"errors"
	"fmt"
	"unicode/utf8"

	"github.com/clerkgate/clerkgate/internal/pathpattern/jsregexp"
)

// A pattern longer, or with more parameters, is refused.
const (
	maxLength = 2048 // bytes
	maxParams = 32
)

// Options choose between the hardened default and the reference.
type Options struct {
	// Reference is the reference to the letter: the `.` of (.*) stops at LF, CR,
	// U+2028 and U+2029, so that a path that holds one is not matched. By default
	// it takes them, and nothing slips past a (.*). In an expression of one's own
	// that goes for every `.`, those in look-aheads included.
	Reference bool
	// MatchCase takes letters as written, where the reference takes either case.
	// Beware of look-ahead: /((?!admin).*) then takes /Admin.
	MatchCase bool
}

func (o Options) expression() jsregexp.Options {
	return jsregexp.Options{DotAll: !o.Reference, MatchCase: o.MatchCase}
}

// Pattern is a compiled pattern, safe for concurrent use. The zero Pattern answers
// every path with an error.
type Pattern struct {
	text   string
	o      Options
	tokens []token
	params []param
	table  *jsregexp.Table // decides a match; nil when the engine has to
	engine engine          // finds what parameters took; nil without parameters, if there is a table
}

// param is a parameter of a pattern: its name, and the group that captures it.
type param struct {
	name  string
	group int
}

var errNotCompiled = errors.New("path pattern was not compiled")

// Compile reads a pattern. Its error is a [*SyntaxError].
func Compile(pattern string, o Options) (*Pattern, error) {
	if err := checkBounds(pattern); err != nil {
		return nil, err
	}
	tokens, err := parse(pattern)
	if err != nil {
		return nil, err
	}
	p := &Pattern{text: pattern, o: o, tokens: tokens}
	if err := p.compile(o); err != nil {
		return nil, err
	}
	return p, nil
}

func checkBounds(pattern string) error {
	fail := func(format string, args ...any) error {
		return &SyntaxError{Pattern: pattern, Msg: fmt.Sprintf(format, args...)}
	}
	switch {
	case pattern == "":
		return fail("an empty pattern matches nothing")
	case len(pattern) > maxLength:
		return &SyntaxError{
			Pattern: pattern[:64] + "...", Offset: maxLength,
			Msg: fmt.Sprintf("longer than %d bytes", maxLength),
		}
	case !utf8.ValidString(pattern):
		return fail("not UTF-8")
	}
	return nil
}

// compile chooses how to match p.tokens.
func (p *Pattern) compile(o Options) error {
	src := build(p.tokens)
	if len(src.groups) > maxParams {
		return &SyntaxError{Pattern: p.text, Msg: fmt.Sprintf("more than %d parameters", maxParams)}
	}
	re, err := jsregexp.Parse(src.String(), o.expression())
	if err != nil {
		return p.expressionError(src, err)
	}
	for _, t := range p.tokens {
		if t.expression != "" {
			p.params = append(p.params, param{t.name, re.Group(src.groups[len(p.params)])})
		}
	}
	tabled := false
	if p.table, tabled = re.Table(); tabled && len(p.params) == 0 {
		return nil
	}
	if p.engine, err = newEngine(re); err != nil {
		return &SyntaxError{Pattern: p.text, Msg: err.Error()}
	}
	return nil
}

func (p *Pattern) expressionError(src *source, err error) error {
	e := &SyntaxError{Pattern: p.text, Msg: "in the expression: " + err.Error()}
	if at, ok := errors.AsType[*jsregexp.Error](err); ok {
		e.Offset = src.origin(at.Offset)
	}
	return e
}

// String returns the pattern as it was written.
func (p *Pattern) String() string { return p.text }

// Match reports whether the pattern matches a path, as [Normalize] returns it.
// The error is [ErrTimeout], for which the caller denies. It takes an expression
// with look-behind, a back-reference or a word boundary, or one of great size, to
// get it.
func (p *Pattern) Match(path string) (bool, error) {
	switch {
	case p.table != nil:
		return p.table.Match(path), nil
	case p.engine != nil:
		return p.engine.match(path)
	}
	return false, errNotCompiled
}

// Literal returns the text of a pattern that has no parameter and no optional
// part, with its escapes resolved: the one path that it means, but for case and
// a trailing slash.
func (p *Pattern) Literal() (string, bool) { return literal(p.tokens) }

func literal(tokens []token) (string, bool) {
	var text string
	for _, t := range tokens {
		if t.expression != "" || t.modifier != "" {
			return "", false
		}
		text += t.text + t.prefix + t.suffix
	}
	return text, true
}
