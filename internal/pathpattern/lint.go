package pathpattern

import (
	"cmp"
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lint is a way in which a pattern may say more, or less, than it seems to.
type Lint struct {
	Kind       LintKind
	Msg        string
	Suggestion string // what to do instead, as a phrase; may be empty
}

// LintKind is what a [Lint] is about.
type LintKind uint8

// The kinds of Lint.
const (
	LintSibling       LintKind = iota + 1 // (.*) takes the rest of a name
	LintParent                            // /(.*) leaves out what is above
	LintTrailingSlash                     // a slash at the end
	LintNames                             // a name for two parameters
	LintNotation                          // what may be a file name of a framework
)

// Lint returns each way in which the pattern may say more, or less, than it seems
// to. None is an error.
func (p *Pattern) Lint() []Lint {
	var out []Lint
	for i, check := range []func() (msg, suggestion string){
		p.lintSibling, p.lintParent, p.lintTrailingSlash, p.lintNames, p.lintNotation,
	} {
		if msg, suggestion := check(); msg != "" {
			out = append(out, Lint{LintSibling + LintKind(i), msg, suggestion})
		}
	}
	return out
}

// lintSibling finds a (.*) with nothing before it that ends a segment.
func (p *Pattern) lintSibling() (msg, suggestion string) {
	for i, t := range p.tokens {
		if !takesAll(t) || t.prefix != "" || i == 0 || !open(p.tokens[i-1]) {
			continue
		}
		taken := p.text[t.offset : t.inline+len(t.expression)+1]
		msg = fmt.Sprintf("%s has no / before %s, so it also matches a longer name", p.text, taken)
		if i < len(p.tokens)-1 || p.text[t.offset] == '{' {
			return msg, ""
		}
		before := p.text[:t.offset]
		if text, ok := literal(p.tokens[:i]); ok {
			msg = fmt.Sprintf("%s also matches %sxyz", p.text, text)
		}
		return msg, fmt.Sprintf("for %s and what is below it write %s/:%s*", before, before, p.freshName())
	}
	return "", ""
}

// lintParent finds a final /(.*) that leaves out the path above it.
func (p *Pattern) lintParent() (msg, suggestion string) {
	last := len(p.tokens) - 1
	if last < 1 || !takesAll(p.tokens[last]) || p.tokens[last].prefix != "/" {
		return "", ""
	}
	before := p.text[:p.tokens[last].offset]
	return fmt.Sprintf("%s does not match %s", p.text, before), fmt.Sprintf("for both write %s/:%s*", before, p.freshName())
}

func (p *Pattern) lintTrailingSlash() (msg, suggestion string) {
	text, ok := p.Literal()
	if !ok || len(text) < 2 || !strings.HasSuffix(text, "/") {
		return "", ""
	}
	return fmt.Sprintf("%s does not match %s", p.text, strings.TrimRight(text, "/")), "without the final / it matches both"
}

func (p *Pattern) lintNames() (msg, suggestion string) {
	names := p.Names()
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Sprintf("%s names two parameters %q; the last of them counts", p.text, name), ""
		}
	}
	return "", ""
}

// unusual are names that one framework gives a meaning in file names, and that
// others have in their paths.
var unusual = regexp.MustCompile(`^(?:@[A-Za-z][A-Za-z0-9]*|\$[A-Za-z][A-Za-z0-9]*|_(?:id|slug|[a-z]+Id)|\$)$`)

func (p *Pattern) lintNotation() (msg, suggestion string) {
	for _, segment := range segmentsOf(p.text) {
		if name := strings.TrimLeft(segment, "@$_"); unusual.MatchString(segment) {
			if segment[0] == '@' {
				return fmt.Sprintf("%s is a path here; in the file names of Next.js it is a slot, which is in no path", segment), "leave it out, if it is one"
			}
			return fmt.Sprintf("%s stands for itself; in the file names of some frameworks it is a parameter", segment), "if it is one, write :" + cmp.Or(name, "path*")
		}
	}
	return "", ""
}

// freshName is a name for a parameter that the pattern does not have yet.
func (p *Pattern) freshName() string {
	name := "path"
	for slices.Contains(p.Names(), name) {
		name = "more_" + name
	}
	return name
}

// takesAll reports whether t is a (.*), by whatever name.
func takesAll(t token) bool { return t.inline >= 0 && t.expression == ".*" }

// open reports whether a name that t ends with could go on.
func open(t token) bool {
	last, _ := utf8.DecodeLastRuneInString(t.text)
	return t.group || last == '_' || unicode.IsLetter(last) || unicode.IsDigit(last)
}
