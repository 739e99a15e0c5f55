package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
	"github.com/clerkgate/clerkgate/internal/target"
)

// Warnings lists what the policy allows to be written but probably does not
// mean, but for what the configuration silences.
func (p *Policy) Warnings() []Warning {
	var l linter
	for _, r := range p.rules {
		for i, pattern := range r.matcher.paths {
			path := fmt.Sprintf("%s.match.path[%d]", r.path(), i)
			l.pattern(path, pattern, r.protects())
			l.prefix(path, pattern.String(), p.mount)
		}
		if r.forbidden != nil && p.protectsItself(r) {
			l.warn(WarnForbiddenCircle, r.path()+".on_forbidden.redirect", "redirect to a page that the rule does not protect", "rule %q redirects forbidden users to %s, which it protects as well: a redirect loop", r.name, r.forbidden.Redirect)
		}
		l.found = append(l.found, r.suspicious...)
		l.limits(r, r.path())
	}
	l.limits(p.fallback, "default")
	for _, u := range p.unreached {
		if !u.protectsNothing() { // else it is an error, or silenced
			msg, suggestion := u.message()
			l.warn(WarnRuleUnreachable, u.path(), suggestion, "%s", msg)
		}
	}
	if p.fallback.access == Public {
		l.warn(WarnDefaultPublic, "default.access", "a protected default is safer: a route without a rule then requires a session", "requests that match no rule are public")
	}
	return heeded(l.found, p.ignored)
}

// limits warns where a rule's limits do not bound a client.
func (l *linter) limits(r *rule, path string) {
	if chosen := r.choosable(); chosen != nil {
		l.warn(WarnLimitWithoutIP, path+".limits", "add a limit with the key ip to the rule", "rule %q has a limit (%q) by values that clients choose, and none by address: a client that sends new values is never limited", r.name, chosen.name)
	}
}

// choosable is a limit of the rule by a header or a path parameter, where none is by
// address alone.
func (r *rule) choosable() *limit {
	var chosen *limit
	for _, l := range slices.Concat(r.early, r.late) {
		if len(l.keys) == 1 && l.keys[0].kind == keyIP {
			return nil
		}
		if slices.ContainsFunc(l.keys, func(k limitKey) bool { return k.kind == keyHeader || k.kind == keyParam }) &&
			!slices.ContainsFunc(l.keys, func(k limitKey) bool { return !k.early }) {
			chosen = l
		}
	}
	return chosen
}

// linter collects warnings.
type linter struct{ found []Warning }

func (l *linter) warn(id, path, suggestion, format string, args ...any) {
	l.found = append(l.found, Warning{ID: id, Path: path, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// lintIDs are the warnings that patterns themselves give rise to.
var lintIDs = map[pathpattern.LintKind]string{
	pathpattern.LintSibling:       WarnPatternAlsoMatches,
	pathpattern.LintParent:        WarnPatternMissesParent,
	pathpattern.LintTrailingSlash: WarnPatternTrailingSlash,
	pathpattern.LintNames:         WarnPatternRepeatsName,
	pathpattern.LintNotation:      WarnPatternNotation,
}

// pattern warns of what a pattern says beside what it seems to. That Clerk's own
// idiom (.*) matches the rest of a name, or leaves out what is above, is but a note
// where it can open nothing that has a name: what a rule that protects matches beside
// is closed as well, and such rules cover what is above.
func (l *linter) pattern(path string, pattern *pathpattern.Pattern, protects bool) {
	for _, found := range pattern.Lint() {
		w := Warning{ID: lintIDs[found.Kind], Path: path, Msg: found.Msg, Suggestion: found.Suggestion}
		switch found.Kind {
		case pathpattern.LintSibling:
			w.Note = protects || !opensSibling(pattern)
		case pathpattern.LintParent:
			w.Note = true
		case pathpattern.LintNotation:
			w.Note = !protects // it stays closed
		}
		l.found = append(l.found, w)
	}
}

// prefix warns of a pattern that is written with what the application removes: it
// is met by no path as that reads it, so that it opens nothing.
func (l *linter) prefix(path, pattern string, m *target.Mount) {
	if prefix, setting := mountPrefix(m, pattern); prefix != "" {
		without, suggestion := pattern[len(prefix):], "leave it out"
		switch {
		case strings.HasPrefix(without, "/"):
			suggestion = "write " + without
		case !strings.Contains(prefix, ":"): // else the pattern of the parameter follows
			suggestion = "write /" + without
		}
		l.warn(WarnPatternPrefixed, path, suggestion, "%s begins with %s, which %s takes off before patterns are matched", pattern, prefix, setting)
	}
}

// siblings are pages that many applications have, and mean to close, whose names
// go on from another's.
var siblings = []string{
	"/administrator", "/administration", "/admin-panel", "/api-keys", "/apikeys", "/api-internal", "/accounts", "/accounting",
	"/users", "/user-admin", "/organizations", "/orgs", "/settings", "/internals", "/billing-admin", "/dashboards", "/teams",
}

// opensSibling reports whether an opening pattern matches one of siblings beside
// what it names.
func opensSibling(pattern *pathpattern.Pattern) bool {
	return slices.ContainsFunc(siblings, func(path string) bool {
		met, err := pattern.Match(path)
		return met || err != nil
	})
}

// path is where the rule is written.
func (r *rule) path() string { return fmt.Sprintf("rules[%d]", r.order) }

// protectsItself reports whether the page that a rule sends the forbidden to is a
// path of the site that the same rule protects.
func (p *Policy) protectsItself(r *rule) bool {
	host := "localhost"
	if len(r.matcher.hosts) > 0 {
		host = "a." + r.matcher.hosts[0].name
		if !r.matcher.hosts[0].wild {
			host = r.matcher.hosts[0].name
		}
	}
	t, err := target.Parse(r.forbidden.Redirect, host, "https", p.mount)
	if err != nil || t.Raw != r.forbidden.Redirect {
		return false // a status, or a page of another site
	}
	met, err := p.match("GET", &t)
	return err == nil && met.rule == r
}
