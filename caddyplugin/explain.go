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
	sections  = regexp.MustCompile(`^(clerk|match|require|freshness)\.`)
)

// readable writes the path of a policy document as a place in a Caddyfile:
// rules[2].require.role[0] is rule "admin": role.
func readable(config *policy.Config, path string) string {
	place := ""
	if m := ruleIndex.FindStringSubmatch(path); m != nil {
		i, _ := strconv.Atoi(m[1])
		place, path = "rule "+m[1], path[len(m[0]):]
		if i < len(config.Rules) && config.Rules[i].Name != "" {
			place = fmt.Sprintf("rule %q", config.Rules[i].Name)
		}
	}
	if name, ok := strings.CutPrefix(path, "limits."); ok {
		place = "limit"
		path = name
	}
	path = sections.ReplaceAllString(path, "")
	if i := strings.IndexByte(path, '['); i > 0 {
		path = path[:i]
	}
	switch {
	case place == "":
		return path
	case path == "":
		return place
	case place == "limit":
		return "limit " + path
	}
	return place + ": " + path
}
