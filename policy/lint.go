package policy

import (
	"fmt"
	"slices"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
)

// Warnings lists what the policy allows to be written but probably does not
// mean, one sentence each.
func (p *Policy) Warnings() []string {
	var warnings []string
	for i, r := range p.rules {
		for _, pattern := range r.matcher.paths {
			for _, lint := range pattern.Lint() {
				warnings = append(warnings, fmt.Sprintf("rule %q: %s", r.name, lint))
			}
		}
		if later, ok := p.shadowedBy(i); ok {
			warnings = append(warnings, fmt.Sprintf("rule %q decides nothing: rule %q before it takes every ordinary request that it could", later.name, r.name))
		}
	}
	for _, r := range p.rules {
		if r.forbidden != nil && p.guardsItself(r) {
			warnings = append(warnings, fmt.Sprintf("rule %q: whoever it forbids is sent to %s, which it guards as well, and so around in circles", r.name, r.forbidden.Redirect))
		}
	}
	if p.fallback.access == Public {
		warnings = append(warnings, "default: what no rule meets is public; a protected default is safer, since a forgotten route is then closed")
	}
	return warnings
}

// guardsItself reports whether the page that a rule sends the forbidden to is a
// path of the site that the same rule guards.
func (p *Policy) guardsItself(r *rule) bool {
	host := "localhost"
	if len(r.matcher.hosts) > 0 {
		host = "a." + r.matcher.hosts[0].name
		if !r.matcher.hosts[0].wild {
			host = r.matcher.hosts[0].name
		}
	}
	t, reason := parseTarget(r.forbidden.Redirect, host, "https")
	if reason != "" || t.raw != r.forbidden.Redirect {
		return false // a status, or a page of another site
	}
	met, err := p.match("GET", &t)
	return err == nil && met.rule == r
}

// shadowedBy returns the first rule after i that i leaves nothing for.
func (p *Policy) shadowedBy(i int) (*rule, bool) {
	earlier := &p.rules[i].matcher
	for _, later := range p.rules[i+1:] {
		if earlier.covers(&later.matcher) {
			return later, true
		}
	}
	return nil, false
}

// covers reports whether m certainly meets whatever other does: because it
// meets everything, or has the same patterns.
func (m *matcher) covers(other *matcher) bool {
	if len(m.methods) > 0 && (len(other.methods) == 0 || !containsAll(m.methods, other.methods)) {
		return false
	}
	if len(m.hosts) > 0 && (len(other.hosts) == 0 || !containsAll(m.hosts, other.hosts)) {
		return false
	}
	if len(m.paths) == 0 && m.static == nil || slices.ContainsFunc(m.paths, isCatchAll) {
		return true
	}
	return other.static == nil && len(other.paths) > 0 && !slices.ContainsFunc(other.paths, func(theirs *pathpattern.Pattern) bool {
		return !slices.ContainsFunc(m.paths, func(ours *pathpattern.Pattern) bool { return ours.String() == theirs.String() })
	})
}

func isCatchAll(pattern *pathpattern.Pattern) bool {
	switch pattern.String() {
	case "/(.*)", "(.*)", "/:path*":
		return true
	}
	return false
}

func containsAll[T comparable](set, items []T) bool {
	return !slices.ContainsFunc(items, func(item T) bool { return !slices.Contains(set, item) })
}
