package conformance

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
)

type routeInput struct {
	Patterns patternList `json:"patterns"`
	Path     string      `json:"path"`
}

// routeAnswer is what a matcher says about a path, or the stage at which it fails.
type routeAnswer struct {
	Match bool   `json:"match"`
	Stage string `json:"stage"` // "", "compile" or "match"
}

// patternList is a pattern or a list of them.
type patternList []string

func (l *patternList) UnmarshalJSON(data []byte) error {
	var one string
	if json.Unmarshal(data, &one) == nil {
		*l = patternList{one}
		return nil
	}
	return json.Unmarshal(data, (*[]string)(l))
}

func TestRouteMatcher(t *testing.T) {
	t.Parallel()
	reference := newRouteMatcher(pathpattern.Options{Reference: true})
	for _, set := range vectorSets() {
		count := tally{family: "route_matcher" + set.label}
		for _, v := range loadVectors[routeInput, routeAnswer](t, set, "route_matcher") {
			got := reference.match(v.Input)
			count.add(v.ID, v.Quirk(), judgeRoute(got, v.Expect), v.Input, got)
		}
		count.report(t)
	}
}

// The default differs from the reference in one thing: a line terminator does
// not get a path past (.*).
func TestRouteMatcherDefaultModeDiffersOnlyAtLineTerminators(t *testing.T) {
	t.Parallel()
	reference := newRouteMatcher(pathpattern.Options{Reference: true})
	byDefault := newRouteMatcher(pathpattern.Options{})
	differing := 0
	for _, v := range allVectors[routeInput, routeAnswer](t, "route_matcher") {
		got := byDefault.match(v.Input)
		if got == reference.match(v.Input) {
			continue
		}
		differing++
		if !holdsLineTerminator(v.Input) || !got.Match {
			t.Errorf("%s: input %+v, got %+v", v.ID, v.Input, got)
		}
	}
	t.Logf("%d of the vectors have a line terminator that the default matches", differing)
}

// routeMatcher stands for the reference's createPathMatcher. It compiles each
// pattern once.
type routeMatcher struct {
	options  pathpattern.Options
	compiled map[string]*pathpattern.Pattern
}

func newRouteMatcher(o pathpattern.Options) routeMatcher {
	return routeMatcher{o, map[string]*pathpattern.Pattern{}}
}

func (m routeMatcher) compile(text string) (_ *pathpattern.Pattern, err error) {
	p, known := m.compiled[text]
	if !known {
		if p, err = pathpattern.Compile(text, m.options); err != nil {
			return nil, err
		}
		m.compiled[text] = p
	}
	return p, nil
}

// match drops empty patterns, compiles the others, and reads the path only if
// there are any.
func (m routeMatcher) match(in routeInput) routeAnswer {
	var patterns []*pathpattern.Pattern
	for _, text := range in.Patterns {
		if text == "" {
			continue
		}
		p, err := m.compile(text)
		if err != nil {
			return routeAnswer{Stage: "compile"}
		}
		patterns = append(patterns, p)
	}
	if len(patterns) == 0 {
		return routeAnswer{}
	}
	path, err := pathpattern.Normalize(in.Path)
	if err != nil {
		return routeAnswer{Stage: "match"}
	}
	for _, p := range patterns {
		ok, err := p.Match(path)
		if err != nil {
			return routeAnswer{Stage: fmt.Sprint("match: ", err)}
		}
		if ok {
			return routeAnswer{Match: true}
		}
	}
	return routeAnswer{}
}

// judgeRoute reads a match as the grant that it is for a public route.
func judgeRoute(got, want routeAnswer) verdict {
	switch {
	case got == want:
		return agrees
	case got.Match:
		return permissive
	}
	return differs
}

// holdsLineTerminator reports whether the decoded path has one of the characters
// that JavaScript's `.` does not match.
func holdsLineTerminator(in routeInput) bool {
	path, err := pathpattern.Normalize(in.Path)
	return err == nil && strings.ContainsFunc(path, func(r rune) bool {
		return slices.Contains([]rune{'\n', '\r', '\u2028', '\u2029'}, r)
	})
}
