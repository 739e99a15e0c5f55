package pathpattern

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// Lint returns a sentence for each way in which the pattern may say more, or
// less, than it seems to. None is an error.
func (p *Pattern) Lint() []string {
	var out []string
	for _, check := range []func() string{
		p.lintStart, p.lintSibling, p.lintParent, p.lintTrailingSlash, p.lintEscapes, p.lintNames,
	} {
		if warning := check(); warning != "" {
			out = append(out, warning)
		}
	}
	return out
}

// lintStart finds a pattern that no request path can meet.
func (p *Pattern) lintStart() string {
	first := p.tokens[:min(1, len(p.tokens))]
	if len(first) == 0 || first[0].text == "" || first[0].text[0] == '/' {
		return ""
	}
	return fmt.Sprintf("%s never matches: a path starts with /", p.text)
}

// lintSibling finds a (.*) with nothing before it that ends a segment.
func (p *Pattern) lintSibling() string {
	for i, t := range p.tokens {
		if !takesAll(t) || t.prefix != "" || i == 0 || !open(p.tokens[i-1]) {
			continue
		}
		taken := p.text[t.offset : t.inline+len(t.expression)+1]
		warning := fmt.Sprintf("%s has no / before %s, so it also matches a longer name", p.text, taken)
		if i < len(p.tokens)-1 || p.text[t.offset] == '{' {
			return warning
		}
		before := p.text[:t.offset]
		if text, ok := literal(p.tokens[:i]); ok {
			warning = fmt.Sprintf("%s also matches %sxyz", p.text, text)
		}
		return warning + fmt.Sprintf("; for %s and what is below it write %s/:%s*", before, before, p.freshName())
	}
	return ""
}

// lintParent finds a final /(.*) that leaves out the path above it.
func (p *Pattern) lintParent() string {
	last := len(p.tokens) - 1
	if last < 1 || !takesAll(p.tokens[last]) || p.tokens[last].prefix != "/" {
		return ""
	}
	before := p.text[:p.tokens[last].offset]
	return fmt.Sprintf("%s does not match %s; for both write %s/:%s*", p.text, before, before, p.freshName())
}

func (p *Pattern) lintTrailingSlash() string {
	text, ok := p.Literal()
	if !ok || len(text) < 2 || !strings.HasSuffix(text, "/") {
		return ""
	}
	return fmt.Sprintf("%s does not match %s; without the final / it matches both", p.text, strings.TrimRight(text, "/"))
}

var escapes = regexp.MustCompile(`(?:%[0-9A-Fa-f]{2})+`)

// lintEscapes finds escapes that Normalize has removed from every path.
func (p *Pattern) lintEscapes() string {
	for _, t := range p.tokens {
		for _, escape := range escapes.FindAllString(t.text+t.prefix+t.suffix, -1) {
			if plain, err := decode(escape); err != nil {
				return fmt.Sprintf("%s holds %s, which no path has: it is not UTF-8", p.text, escape)
			} else if plain != escape {
				return fmt.Sprintf("%s holds %s, but a path is decoded before it is matched; write %q", p.text, escape, plain)
			}
		}
	}
	return ""
}

func (p *Pattern) lintNames() string {
	names := p.Names()
	for i, name := range names {
		if slices.Contains(names[:i], name) {
			return fmt.Sprintf("%s names two parameters %q; the last of them counts", p.text, name)
		}
	}
	return ""
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
