package weburl

import (
	"strings"

	"github.com/nlnwa/whatwg-url/url"
)

// URL is an http or https URL in the parts and the spelling that the URL
// standard of the WHATWG gives it. Browsers and Clerk's own library compare and
// write URLs by that standard, which net/url does not follow.
type URL struct {
	Scheme string // http or https
	user   string // with "@", or ""
	Host   string // lower case, with a port that is not the default one
	Path   string // begins with "/"
	Query  string // without "?"; HasQuery tells an empty one from none
	// Fragment is with "#", or "".
	Fragment string
	HasQuery bool
}

// Origin is scheme, host and port.
func (u *URL) Origin() string { return u.Scheme + "://" + u.Host }

// Hostname is the host without a port.
func (u *URL) Hostname() string {
	if at := strings.LastIndexByte(u.Host, ':'); at >= 0 && !strings.HasSuffix(u.Host, "]") {
		return u.Host[:at]
	}
	return u.Host
}

// String is the URL in full.
func (u *URL) String() string {
	s := u.Scheme + "://" + u.user + u.Host + u.Path
	if u.HasQuery {
		s += "?" + u.Query
	}
	return s + u.Fragment
}

// Form is the query, taken apart.
func (u *URL) Form() Form { return parseForm(u.Query) }

// WithForm is the URL with another query. An empty one leaves no "?".
func (u *URL) WithForm(f Form) *URL {
	out := *u
	out.Query = f.Encode()
	out.HasQuery = out.Query != ""
	return &out
}

// parser follows the standard without options. It is safe for concurrent use.
var parser = url.NewParser()

// Parse reads an absolute http or https URL. It reports false for everything else.
func Parse(text string) (*URL, bool) {
	parsed, err := parser.Parse(text)
	if err != nil || parsed.Scheme() != "http" && parsed.Scheme() != "https" {
		return nil, false
	}
	u := &URL{Scheme: parsed.Scheme(), Host: parsed.Host(), Path: parsed.Pathname(), Query: parsed.Query(), Fragment: parsed.Hash()}
	u.HasQuery = u.Query != "" || strings.HasSuffix(parsed.Href(true), "?")
	u.user = parsed.Username()
	if password := parsed.Password(); password != "" {
		u.user += ":" + password
	}
	if u.user != "" {
		u.user += "@"
	}
	return u, true
}

// SetTarget sets path and query from a target in origin-form (RFC 9112 § 3.2.1), with
// dot segments resolved and escaped as the standard writes them.
func (u *URL) SetTarget(target string) {
	if other, ok := Parse(u.Origin() + target); ok {
		u.Path, u.Query, u.HasQuery = other.Path, other.Query, other.HasQuery
	}
}

// ParseHost reads an authority under a scheme.
func ParseHost(authority, scheme string) (string, bool) {
	u, ok := Parse(scheme + "://" + authority)
	if !ok || u.user != "" || u.Path != "/" || u.HasQuery || u.Fragment != "" {
		return "", false
	}
	return u.Host, true
}
