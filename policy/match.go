package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
)

// matcher is a compiled Match.
type matcher struct {
	// guards: the rule closes something, so any reading that meets it is
	// enough. Otherwise it opens something, and every reading must.
	guards  bool
	methods []string
	hosts   []hostPattern
	paths   []*pathpattern.Pattern
	static  *staticFiles
}

// meets reports whether the rule applies to the request. An error means that it
// could not be told in time.
func (m *matcher) meets(method string, t *target) (bool, error) {
	if len(m.methods) > 0 && !slices.Contains(m.methods, method) {
		return false, nil
	}
	if len(m.hosts) > 0 && !m.meetsHost(t) {
		return false, nil
	}
	if len(m.paths) == 0 && m.static == nil {
		return true, nil
	}
	for _, reading := range t.readings {
		met, err := m.meetsPath(reading)
		if err != nil {
			return false, err
		}
		if met == m.guards {
			return met, nil
		}
	}
	return !m.guards, nil
}

func (m *matcher) meetsHost(t *target) bool {
	return slices.ContainsFunc(m.hosts, func(h hostPattern) bool { return h.meets(t, m.guards) })
}

func (m *matcher) meetsPath(reading string) (bool, error) {
	for _, pattern := range m.paths {
		met, err := pattern.Match(reading)
		if !met && err == nil && m.guards {
			met, err = guardsVariant(pattern, reading)
		}
		if met || err != nil {
			return met, err
		}
	}
	if m.static != nil {
		return m.static.meets(reading)
	}
	return false, nil
}

// maxExtensions is how many file extensions are looked behind: /admin.tar.gz
// has two. Each is one more match, so that their number must be bounded.
const maxExtensions = 4

// guardsVariant extends a guarding pattern to the paths that upstreams serve
// the same: with a slash at the end, and with file extensions.
func guardsVariant(pattern *pathpattern.Pattern, reading string) (bool, error) {
	bare := strings.TrimRight(reading, "/")
	start := strings.LastIndexByte(bare, '/') + 1
	for i, left := len(bare)-1, maxExtensions; i >= start && left > 0; i-- {
		if bare[i] != '.' {
			continue
		}
		if met, err := pattern.Match(strings.TrimRight(bare[:i], ". ")); met || err != nil {
			return met, err
		}
		left--
	}
	if bare != reading || !endsInSlash(pattern.String()) {
		return false, nil
	}
	return pattern.Match(reading + "/")
}

// endsInSlash reports whether a pattern wants a slash that an upstream may do
// without: /docs/ and /docs/(.*).
func endsInSlash(pattern string) bool {
	return strings.HasSuffix(strings.TrimSuffix(pattern, "(.*)"), "/")
}

// params returns the path parameters of the reading the rule matched on.
// Where readings disagree about them, it reports false.
func (m *matcher) params(t *target) (pathpattern.Params, bool) {
	var found pathpattern.Params
	for _, reading := range t.readings {
		for _, pattern := range m.paths {
			params, met, err := pattern.Params(reading)
			if err != nil {
				return nil, false
			}
			if !met {
				continue
			}
			firstSegments(pattern, params)
			if found != nil && !slices.Equal(found, params) {
				return nil, false
			}
			found = params
			break
		}
	}
	return found, true
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

// meets compares hosts. A pattern without a port guards every port, but opens
// only the default one.
func (h hostPattern) meets(t *target, guards bool) bool {
	if h.port != t.port && !(guards && h.port == "") {
		return false
	}
	if !h.wild {
		return t.host == h.name
	}
	below, ok := strings.CutSuffix(t.host, h.name)
	return ok && len(below) > 1 && below[len(below)-1] == '.'
}

func compileHost(text string) (hostPattern, error) {
	rest, wild := strings.CutPrefix(text, "*.")
	host, port, reason := parseHost(rest, "")
	if reason != "" || strings.Contains(rest, "*") {
		return hostPattern{}, fmt.Errorf("%q is not a host; write app.example.com or *.example.com", text)
	}
	return hostPattern{host, wild, port}, nil
}

// staticFiles meets the usual static assets. Paths of an API and paths that a
// guarding rule names are never static, whatever they end in.
type staticFiles struct {
	except []*pathpattern.Pattern
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

func (s *staticFiles) meets(reading string) (bool, error) {
	last := reading[strings.LastIndexByte(reading, '/')+1:]
	dot := strings.LastIndexByte(last, '.')
	if dot <= 0 || !staticExtensions[strings.ToLower(last[dot+1:])] {
		return false, nil
	}
	first, _, _ := strings.Cut(strings.TrimLeft(reading, "/"), "/")
	if slices.ContainsFunc(neverStatic, func(name string) bool { return strings.EqualFold(first, name) }) {
		return false, nil
	}
	for _, pattern := range s.except {
		if guarded, err := pattern.Match(reading); guarded || err != nil {
			return false, err
		}
	}
	return true, nil
}

// namesPath reports whether a pattern begins with fixed text, and so means
// certain paths rather than all but some.
func namesPath(pattern string) bool {
	return len(pattern) > 1 && pattern[0] == '/' && !strings.ContainsRune(`({:\/`, rune(pattern[1]))
}
