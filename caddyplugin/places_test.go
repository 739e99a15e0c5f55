package caddyplugin

import (
	"errors"
	"fmt"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/policy"
)

// Each problem is said with its line and in the words of the line, and none is lost
// where an error is about several.
func TestProblemsAreSaidWhereTheyStand(t *testing.T) {
	t.Parallel()
	p := places{
		"":                      {At: "Caddyfile:1"},
		"clerk.secret_key":      {At: "Caddyfile:3", Word: "secret_key"},
		"limits.per.user":       {At: "Caddyfile:4", Word: `limit "per.user"`, Of: true},
		"limits.per.user.plans": {At: "Caddyfile:5", Word: `limit "per.user": plan`},
		"rules[0]":              {At: "Caddyfile:6", Word: `rule "a"`, Of: true},
		"rules[0].require":      {At: "Caddyfile:6", Word: `rule "a"`, Of: true},
		"rules[0].match.path":   {At: "Caddyfile:7", Word: `rule "a": path`},
		"rules[0].on_forbidden": {At: "Caddyfile:8", Word: `rule "a": on_forbidden`},
		"redis":                 {At: "Caddyfile:9", Word: "redis"},
	}
	at := func(path string) error { return &policy.ConfigError{Path: path, Msg: "wrong", Suggestion: "write it"} }
	for name, c := range map[string]struct {
		err  error
		want []string
	}{
		"nothing":                 {nil, nil},
		"a key":                   {at("clerk.secret_key"), []string{"secret_key: wrong (write it), at Caddyfile:3"}},
		"one that is not written": {at("clerk.domain"), []string{"domain: wrong (write it), at Caddyfile:1"}},
		"an entry of a list":      {at("rules[0].match.path[1]"), []string{`rule "a": path: wrong (write it), at Caddyfile:7`}},
		"a part of a word":        {at("rules[0].on_forbidden.status"), []string{`rule "a": on_forbidden.status: wrong (write it), at Caddyfile:8`}},
		"a word of a section":     {at("rules[0].require.role[0]"), []string{`rule "a": role: wrong (write it), at Caddyfile:6`}},
		"a line of a mapping":     {at("limits.per.user.plans.pro"), []string{`limit "per.user": plan: wrong (write it), at Caddyfile:5`}},
		"a key of a limit":        {at("limits.per.user.cost"), []string{`limit "per.user": cost: wrong (write it), at Caddyfile:4`}},
		"a setting of a block":    {at("redis.url"), []string{"redis.url: wrong (write it), at Caddyfile:9"}},
		"no key":                  {errors.New("wrong"), []string{"wrong, at Caddyfile:1"}},
		"what knows its place":    {placedError{errors.New("wrong at home")}, []string{"wrong at home"}},
		"several":                 {errors.Join(at("redis"), at("rules[0]")), []string{"redis: wrong (write it), at Caddyfile:9", `rule "a": wrong (write it), at Caddyfile:6`}},
		"several of something": {fmt.Errorf("the page: %w", errors.Join(at("clerk.secret_key"), errors.New("and more"))),
			[]string{"the page: clerk.secret_key: wrong (write it)\nand more, at Caddyfile:3"}},
	} {
		var got []string
		for _, err := range p.errors(c.err) {
			got = append(got, err.Error())
		}
		if diff := cmp.Diff(c.want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	if got := (places)(nil).errors(at("rules[0].match.path[1]")); len(got) != 1 || got[0].Error() != "rules[0].match.path[1]: wrong (write it)" {
		t.Errorf("without a Caddyfile: %v", got)
	}
}
