package caddyplugin

import (
	"errors"
	"fmt"
	"regexp"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// explain says what is wrong with a configuration in the words of the Caddyfile:
// rules by their names, and without the sections it does not have.
func explain(config *setup.Config, err error) error {
	var errs []error
	for _, problem := range problems(err) {
		if wrong, ok := errors.AsType[*policy.ConfigError](problem); ok {
			problem = &policy.ConfigError{Path: readable(&config.Config, wrong.Path), Msg: wrong.Msg, Suggestion: wrong.Suggestion}
		}
		errs = append(errs, problem)
	}
	return errors.Join(errs...)
}

// problems takes joined errors apart.
func problems(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, inner := range joined.Unwrap() {
		all = append(all, problems(inner)...)
	}
	return all
}

var (
	ruleIndex = regexp.MustCompile(`^rules\[(\d+)\]\.?`)
	limitName = regexp.MustCompile(`^limits\.(.+?)(?:\.(algorithm|limit|window|burst|key|plans|roles|cost|stage|allow|consistency|on_store_error)\b.*)?$`)
	sections  = regexp.MustCompile(`^(clerk|match|require|freshness)(\.|$)`)
	// plurals are the keys of mappings that a Caddyfile writes line by line.
	plurals = strings.NewReplacer("identity_headers", "identity_header", "claims", "claim", "plans", "plan", "roles", "role")
)

// readable writes the path of a policy document as a place in a Caddyfile:
// rules[2].require.role[0] is rule "admin": role.
func readable(config *policy.Config, path string) string {
	owner := ""
	if m := ruleIndex.FindStringSubmatch(path); m != nil {
		owner, path = "rule "+m[1], path[len(m[0]):]
		if i, err := strconv.Atoi(m[1]); err == nil && i < len(config.Rules) && config.Rules[i].Name != "" {
			owner = fmt.Sprintf("rule %q", config.Rules[i].Name)
		}
	} else if m := limitName.FindStringSubmatch(path); m != nil {
		owner, path = fmt.Sprintf("limit %q", m[1]), m[2]
	}
	path = sections.ReplaceAllString(path, "")
	if i := strings.IndexByte(path, '['); i > 0 {
		path = path[:i]
	}
	path = plurals.Replace(path)
	switch {
	case owner == "":
		return path
	case path == "":
		return owner
	}
	return owner + ": " + path
}
