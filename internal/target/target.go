// Package target reads the target of a request: the path, the host, and every way
// in which an upstream may read the path. It knows nothing of rules.
package target

import (
	"errors"
	"slices"
	"strings"
	"unicode/utf8"
)

// What is wrong with a target that is refused.
var (
	// ErrTooLong: the target, or its path, is longer than what can be read in all
	// ways.
	ErrTooLong = errors.New("target: too long")
	// ErrMalformed: no client that means well sends it (RFC 9112 § 3.2, RFC 3986).
	ErrMalformed = errors.New("target: malformed")
	// ErrAmbiguous: upstreams could read the path as another one.
	ErrAmbiguous = errors.New("target: ambiguous")
	// ErrHost: the host is malformed, or there are two.
	ErrHost = errors.New("target: malformed host")
)

// maxTarget bounds the request target, and maxPath the path in it, in bytes:
// what can be read in many ways must be short enough to be read in all of them. A
// query is read in one.
const (
	maxTarget = 64 << 10
	maxPath   = 8 << 10
)

// Target is a request target in its canonical form. It is computed once, by
// [Parse] alone, from the bytes the client sent, for every adapter.
type Target struct {
	// Raw is the target in origin-form as received: what is forwarded.
	Raw string
	// Path and Query are raw, cut at the first "?". Path starts with "/".
	Path, Query string
	// SentQuery is the query that the client sent, where a proxy rewrote the target.
	SentQuery *string
	// EscapedSlashes: the path has escaped slashes, which only some rules accept.
	EscapedSlashes bool
	// Host is the authority, lower case, without default port and final dot;
	// Port is what was left after that, or "".
	Host, Port string
	// Readings are the plausible readings of Path; the first is Clerk's.
	Readings Readings
	// Whole are the readings that Path would have beside those, did the application
	// not take a prefix off: see [Mount].
	Whole Readings
}

// Parse reads the request target and the host, as the application does that is
// mounted so; nil is one that takes nothing off. What can be read only as an attack
// or a mistake is an error; what upstreams may read in several ways comes with all
// of its readings. scheme decides the default port.
func Parse(rawTarget, rawHost, scheme string, mount *Mount) (Target, error) {
	if len(rawTarget) > maxTarget {
		return Target{}, ErrTooLong
	}
	t := Target{Raw: rawTarget}
	if !strings.HasPrefix(rawTarget, "/") {
		from, authority, rest, ok := cutAbsoluteForm(rawTarget)
		if !ok {
			return Target{}, ErrMalformed
		}
		if rawHost == "" {
			rawHost, scheme = authority, from
		} else if !sameHost(rawHost, scheme, authority, from) {
			return Target{}, ErrHost
		}
		t.Raw = rest
	}
	var err error
	if t.Host, t.Port, err = ParseHost(rawHost, scheme); err != nil {
		return Target{}, err
	}
	t.Path, t.Query, _ = strings.Cut(t.Raw, "?")
	if len(t.Path) > maxPath {
		return Target{}, ErrTooLong
	}
	if !plainQuery(t.Query) {
		return Target{}, ErrMalformed
	}
	if err := t.read(mount); err != nil {
		return Target{}, err
	}
	t.EscapedSlashes = hasEscapedSlash(t.Path)
	return t, nil
}

// read collects the readings of the path: as the application reads it, which
// decides, and as it stands, for rules that protect that.
func (t *Target) read(mount *Mount) (err error) {
	if t.Readings, err = readPath(t.Path, nil); err != nil || mount == nil {
		return err
	}
	rest, based := mount.rest(t.Path)
	if t.Readings, err = readPath(rest, mount.ways(based)); err != nil || rest == t.Path {
		return err
	}
	whole, err := readPath(t.Path, mount.ways(false))
	t.Whole = slices.DeleteFunc(whole, func(reading string) bool { return slices.Contains(t.Readings, reading) })
	return err
}

// cutAbsoluteForm splits scheme://authority/path (RFC 9112 § 3.2.2) into scheme,
// authority and origin-form.
func cutAbsoluteForm(raw string) (scheme, authority, originForm string, ok bool) {
	scheme, rest, ok := strings.Cut(raw, "://")
	if scheme = strings.ToLower(scheme); !ok || scheme != "http" && scheme != "https" {
		return "", "", "", false
	}
	end := strings.IndexAny(rest, "/?")
	switch {
	case end < 0:
		return scheme, rest, "/", true
	case rest[end] == '?':
		return scheme, rest[:end], "/" + rest[end:], true
	default:
		return scheme, rest[:end], rest[end:], true
	}
}

// plainQuery reports whether a query holds nothing that could end it early.
func plainQuery(query string) bool {
	for i := range len(query) {
		if c := query[i]; c <= ' ' || c == '#' || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(query)
}
