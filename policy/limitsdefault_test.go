package policy_test

import (
	"slices"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// The limits of the default count what no rule decides, whoever asks, and nothing
// that a rule decides.
func TestTheDefaultsLimitsCountWhatNoRuleTakes(t *testing.T) {
	t.Parallel()
	rule := policy.Rule{Name: "open", Match: paths("/open"), Access: policy.Public}
	for name, c := range map[string]struct {
		access policy.Access
		who    *policy.Principal
		key    string
	}{
		"public, by address":    {policy.Public, nil, "ip"},
		"protected, by address": {policy.Protected, member(), "ip"},
		"by default, by user":   {"", member(), "user"},
		"public, by header":     {policy.Public, nil, "header:X-Api-Key"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			config := rules(rule)
			config.Default = policy.Default{Access: c.access, Limits: policy.StringList{"few"}}
			p := counting(t, config, c.who, c.key)
			if n := passed(t, p, "GET", slices.Repeat([]string{"/open"}, 12)...); n != 12 {
				t.Errorf("%d of 12 pass the rule", n)
			}
			if n := passed(t, p, "GET", "/a", "/b", "/c", "/OPEN", "/d/e", "/f", "/a", "/b"); n != 5 {
				t.Errorf("%d pass the default's limit of 5", n)
			}
			if n := passed(t, p, "GET", "/open"); n != 1 {
				t.Error("the rule is refused by the default's limit")
			}
		})
	}
}

// Who counts by what clients choose alone is told so: by a rule's limits, and by
// the default's.
func TestWarnsOfLimitsThatClientsDodge(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		key   []string
		guard []string // keys of a second limit of the same rule
		warns bool
	}{
		"a header":                    {[]string{"header:X-Api-Key"}, nil, true},
		"a parameter":                 {[]string{":slug"}, nil, true},
		"a header and the address":    {[]string{"header:X-Api-Key", "ip"}, nil, true}, // each value has a count of its own
		"a header beside the address": {[]string{"header:X-Api-Key"}, []string{"ip"}, false},
		"a header and the user":       {[]string{"header:X-Api-Key", "user"}, nil, false},
		"the address":                 {[]string{"ip"}, nil, false},
		"the user":                    {[]string{"user"}, nil, false},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			limits := policy.StringList{"a"}
			config := rules(policy.Rule{Name: "orgs", Match: paths("/orgs/:slug"), Limits: limits})
			config.Limits = map[string]policy.Limit{"a": {Limit: 1, Window: policy.Duration(60e9), Key: c.key}}
			if c.guard != nil {
				config.Limits["b"] = policy.Limit{Limit: 1, Window: policy.Duration(60e9), Key: c.guard}
				config.Rules[0].Limits = append(config.Rules[0].Limits, "b")
			}
			at := []string{"rules[0].limits"}
			if c.key[0] != ":slug" { // which the default does not have
				config.Default.Limits = config.Rules[0].Limits
				at = append(at, "default.limits")
			}
			if !c.warns {
				at = nil
			}
			p, err := policy.New(config, goodDeps())
			if err != nil {
				t.Fatal(err)
			}
			var warned []string
			for _, w := range p.Warnings() {
				if w.ID == policy.WarnLimitWithoutIP {
					warned = append(warned, w.Path)
				}
			}
			if !slices.Equal(warned, at) {
				t.Errorf("warned at %q, want %q", warned, at)
			}
			config.IgnoreWarnings = policy.StringList{policy.WarnLimitWithoutIP}
			if p, err = policy.New(config, goodDeps()); err != nil || slices.ContainsFunc(p.Warnings(), func(w policy.Warning) bool { return w.ID == policy.WarnLimitWithoutIP }) {
				t.Errorf("it cannot be silenced: %v", err)
			}
		})
	}
}
