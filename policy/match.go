package policy

import (
	"fmt"
	"iter"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
	"github.com/clerkgate/clerkgate/internal/target"
)

// matcher is a compiled Match.
type matcher struct {
	// protects: the rule closes something. Then host patterns without a port mean
	// every port, and what upstreams serve the same matches as well.
	protects bool
	methods  []string
	hosts    []hostPattern
	paths    []*pathpattern.Pattern
	// caseSensitive are the same patterns in the letter case they were written in,
	// where the rule opens something: see [matcher.matchesPath].
	caseSensitive []*pathpattern.Pattern
	// slashless are the patterns as upstreams may also mean them: see withoutLastSlash. Only what
	// protects uses them.
	slashless []*pathpattern.Pattern
	static    *staticFiles
}

// protecting is the matcher as it would be of a rule that protects.
func (m *matcher) protecting() *matcher {
	if m.protects {
		return m
	}
	protecting := *m
	protecting.protects, protecting.caseSensitive, protecting.methods = true, nil, protectedMethods(m.methods)
	return &protecting
}

// matchesRequest reports whether the rule is for requests of this method and host.
func (m *matcher) matchesRequest(method string, t *target.Target) bool {
	if !m.matchesMethod(method) {
		return false
	}
	return len(m.hosts) == 0 || slices.ContainsFunc(m.hosts, func(h hostPattern) bool { return h.matches(t, m.protects) })
}

// matches reports whether the rule names the path as it is read. An error means
// that it could not be decided in time.
func (m *matcher) matches(reading string) (bool, error) {
	if len(m.paths) == 0 && m.static == nil {
		return true, nil
	}
	if matched, err := m.matchesPath(reading); matched || err != nil {
		return matched, err
	}
	if m.static != nil {
		return m.static.matches(reading)
	}
	return false, nil
}

// matchesPath matches the patterns. A rule that protects ignores case. One that opens
// does not: to many upstreams /Public is another page than /public, which the
// policy does not open. It has to match either way, since an expression may also say
// what it is not.
func (m *matcher) matchesPath(reading string) (bool, error) {
	for i, pattern := range m.paths {
		matched, err := pattern.Match(reading)
		if matched && err == nil && i < len(m.caseSensitive) {
			matched, err = m.caseSensitive[i].Match(reading)
		}
		if matched || err != nil {
			return matched, err
		}
	}
	return false, nil
}

// matchesVariant reports whether the rule names a path that upstreams may serve
// the same: without the slash at its end, or without file extensions.
func (m *matcher) matchesVariant(reading string) (bool, error) {
	bare := strings.TrimRight(reading, "/")
	if matched, err := matchesAny(m.slashless, bare); matched || err != nil {
		return matched, err
	}
	for name := range withoutExtensions(bare) {
		for _, patterns := range [][]*pathpattern.Pattern{m.paths, m.slashless} {
			if matched, err := matchesBare(patterns, name); matched || err != nil {
				return matched, err
			}
		}
	}
	return false, nil
}

// matchesBare reports whether a pattern names a file without its extension. One
// that matches files with extensions by itself does not: those that it leaves out
// it leaves out on purpose, as the matcher of Clerk's quickstart does.
func matchesBare(patterns []*pathpattern.Pattern, name string) (bool, error) {
	for _, pattern := range patterns {
		matched, err := pattern.Match(name)
		if matched && err == nil {
			var withExtension bool
			withExtension, err = pattern.Match(name + someExtension)
			matched = !withExtension
		}
		if matched || err != nil {
			return matched, err
		}
	}
	return false, nil
}

// someExtension is one that no pattern lists.
const someExtension = ".-"

func matchesAny(patterns []*pathpattern.Pattern, path string) (bool, error) {
	for _, pattern := range patterns {
		if matched, err := pattern.Match(path); matched || err != nil {
			return matched, err
		}
	}
	return false, nil
}

// maxExtensions is how many dots of a file name are looked behind, from either
// end: a pattern may have dots of its own, and a path any number of extensions.
const maxExtensions = 4

// withoutExtensions yields a path cut at the dots of its last segment.
func withoutExtensions(path string) iter.Seq[string] {
	return func(yield func(string) bool) {
		start := strings.LastIndexByte(path, '/') + 1
		dots := strings.Count(path[start:], ".")
		for i, seen := start, 0; seen < dots; i++ {
			if path[i] != '.' {
				continue
			}
			seen++
			if seen > maxExtensions && seen <= dots-maxExtensions {
				continue
			}
			if !yield(strings.TrimRight(path[:i], ". ")) {
				return
			}
		}
	}
}

// directoriesOf yields the directory, slash at its end, that an index document is
// served for, and so on, where that is called like one. The names are those that
// servers look for by default: Apache, nginx, Caddy, Tomcat and PHP
// (index), IIS (default, iisstart), hosting panels (home, welcome).
func directoriesOf(reading string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for range maxDirectories {
			reading = strings.TrimRight(reading, "/")
			slash := strings.LastIndexByte(reading, '/')
			if slash < 0 || !isIndex(reading[slash+1:]) || !yield(reading[:slash+1]) {
				return
			}
			reading = reading[:slash]
		}
	}
}

// maxDirectories bounds how many times a directory is looked for.
const maxDirectories = 4

func isIndex(file string) bool {
	name, _, _ := strings.Cut(file, ".")
	switch len(name) {
	case len("home"), len("index"), len("default"), len("iisstart"): // and welcome
		switch strings.ToLower(name) {
		case "index", "default", "home", "welcome", "iisstart":
			return true
		}
	}
	return false
}

// variantsOf yields what upstreams may serve the same as a path: a file without
// its extensions, and the directory of an index document.
func variantsOf(reading string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for name := range withoutExtensions(strings.TrimRight(reading, "/")) {
			if !yield(name) {
				return
			}
		}
		for directory := range directoriesOf(reading) {
			if !yield(directory) {
				return
			}
		}
	}
}

// withoutLastSlash is a pattern without the slash at its end that upstreams may do
// without, as in /docs/ and /docs/(.*), and in the form that paths are folded to.
func withoutLastSlash(pattern string) string {
	below := strings.TrimSuffix(pattern, "(.*)")
	if bare := strings.TrimSuffix(below, "/"); bare != "" && bare != below {
		pattern = bare
	}
	return target.FoldUnicode(pattern)
}

// params returns the path parameters of the reading the rule matched on.
// Where readings disagree about them, it reports false.
func (m *matcher) params(t *target.Target) (pathpattern.Params, bool) {
	found, same := m.paramsIn(t.Readings)
	if found == nil && same {
		return m.paramsIn(t.Whole)
	}
	return found, same
}

func (m *matcher) paramsIn(all target.Readings) (pathpattern.Params, bool) {
	var found pathpattern.Params
	for _, reading := range all {
		params, matched, err := m.paramsOf(reading)
		for directory := range directoriesOf(reading) {
			if !matched && err == nil {
				params, matched, err = m.paramsOf(directory)
			}
		}
		if err != nil || matched && found != nil && !slices.Equal(found, params) {
			return nil, false
		}
		if matched {
			found = params
		}
	}
	return found, true
}

// paramsOf returns the path parameters of one path.
func (m *matcher) paramsOf(path string) (pathpattern.Params, bool, error) {
	for _, pattern := range m.paths {
		params, matched, err := pattern.Params(path)
		if matched && err == nil {
			firstSegments(pattern, params)
		}
		if matched || err != nil {
			return params, matched, err
		}
	}
	return nil, false, nil
}

// firstSegments cuts parameters written :name(.*) to one segment: the pattern
// /orgs/:slug(.*) means an organization and everything below it.
func firstSegments(pattern *pathpattern.Pattern, params pathpattern.Params) {
	for i, p := range params {
		if strings.Contains(pattern.String(), ":"+p.Name+"(.*)") {
			params[i].Value, _, _ = strings.Cut(p.Value, "/")
		}
	}
}

// hostPattern is a compiled host of a Match.
type hostPattern struct {
	// name is the host, or what follows the "*." where wild is set.
	name string
	wild bool
	port string
}

// matches compares hosts. A pattern protects every port, since the port is what the
// client says; it opens its own, and one without a port the default ones: that of
// https and that of http, since the scheme that a proxy sees need not be the
// browser's.
func (h hostPattern) matches(t *target.Target, protects bool) bool {
	if !protects && h.port != t.Port && !(h.port == "" && (t.Port == "443" || t.Port == "80")) {
		return false
	}
	if !h.wild {
		return t.Host == h.name
	}
	below, ok := strings.CutSuffix(t.Host, h.name)
	return ok && len(below) > 1 && below[len(below)-1] == '.'
}

func compileHost(text string) (hostPattern, error) {
	rest, wild := strings.CutPrefix(text, "*.")
	host, port, err := target.ParseHost(rest, "")
	if err != nil || strings.Contains(rest, "*") {
		return hostPattern{}, fmt.Errorf("%q is not a host; write app.example.com or *.example.com", text)
	}
	if port == "443" || strings.HasSuffix(rest, ":80") {
		return hostPattern{}, fmt.Errorf("%q names the default port of a scheme; leave it out, since hosts are compared without it", text)
	}
	return hostPattern{host, wild, port}, nil
}

// staticFiles matches the usual static assets. Paths of an API and paths that a rule
// that protects names are never static, whatever they end in.
type staticFiles struct {
	// except are the patterns of rules that protect.
	except matcher
}

// staticExtensions are the extensions of static assets: those of Clerk's
// documented matcher and the usual ones beside them.
var staticExtensions = map[string]bool{
	"htm": true, "html": true, "css": true, "js": true, "mjs": true, "map": true, "jpg": true, "jpeg": true,
	"webp": true, "avif": true, "png": true, "gif": true, "svg": true, "ttf": true, "otf": true, "eot": true,
	"woff": true, "woff2": true, "ico": true, "csv": true, "doc": true, "docx": true, "xls": true, "xlsx": true,
	"zip": true, "webmanifest": true, "mp4": true, "webm": true, "mp3": true, "wasm": true,
}

// neverStatic are the first segments under which nothing is static.
var neverStatic = []string{"api", "trpc", "__clerk"}

func (s *staticFiles) matches(reading string) (bool, error) {
	last := reading[strings.LastIndexByte(reading, '/')+1:]
	dot := strings.LastIndexByte(last, '.')
	if dot <= 0 || !staticExtensions[strings.ToLower(last[dot+1:])] {
		return false, nil
	}
	first, _, _ := strings.Cut(strings.TrimLeft(reading, "/"), "/")
	if slices.ContainsFunc(neverStatic, func(name string) bool { return strings.EqualFold(first, name) }) {
		return false, nil
	}
	protected, err := matchesAny(s.except.paths, reading)
	if !protected && err == nil {
		protected, err = s.except.matchesVariant(reading)
	}
	return !protected && err == nil, err
}

// matchesAllFiles reports whether a pattern means all paths, at every depth, rather
// than certain ones: what also names a segment, as /:tenant/:path* does,
// is about those of a tenant.
func matchesAllFiles(pattern *pathpattern.Pattern) bool {
	for dir := "/"; len(dir) < len("/-/-/-/-"); dir += "-/" {
		css, err := pattern.Match(dir + "-.css")
		wasm, err2 := pattern.Match(dir + "-.wasm")
		if !css || !wasm || err != nil || err2 != nil {
			return false
		}
	}
	home, err := pattern.Match("/")
	return err == nil && (home || len(pattern.Names()) < 2)
}
