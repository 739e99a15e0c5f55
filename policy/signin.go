package policy

import (
	"cmp"
	"fmt"
	"net/url"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/target"
)

// maxRedirect bounds the return address in a redirect to sign-in. Past it only
// the origin is returned to.
const maxRedirect = 4096

// Instance is what the policy must know of the Clerk instance to send browsers
// to it and back.
type Instance struct {
	// SignInURL is where browsers are sent to sign in: absolute, or a path of
	// the site itself. Empty: no redirects.
	SignInURL string
	// Origins are the origins of the site (scheme://host[:port]; "*." at the start
	// of the host stands for one label or more). Browsers are only ever sent back
	// to one of them that is http or https: others are those of extensions and
	// applications. Empty: the host of the request.
	Origins []string
}

// signIn builds redirects to sign-in.
type signIn struct {
	target  *url.URL // nil: no redirects
	origins []origin
	// host and path are those of the page, in comparable form; no host where it is
	// that of the request.
	host, path string
	// anywhere: no origin is known, and browsers are sent back where they came.
	anywhere bool
}

// origin is scheme, host and port in comparable form. below says that it stands
// for all hosts below its own.
type origin struct {
	scheme     string
	host, port string
	below      bool
}

func compileSignIn(instance Instance) (*signIn, []error) {
	s := &signIn{anywhere: len(instance.Origins) == 0}
	var errs []error
	for i, text := range instance.Origins {
		if isOfApplication(text) {
			continue
		}
		o, err := parseOrigin(text)
		if err != nil {
			errs = append(errs, &ConfigError{Path: fmt.Sprintf("clerk.authorized_parties[%d]", i), Msg: err.Error(), Suggestion: "write https://app.example.com"})
			continue
		}
		s.origins = append(s.origins, o)
	}
	if instance.SignInURL == "" {
		return s, errs
	}
	u, err := url.Parse(instance.SignInURL)
	switch {
	case err != nil || strings.ContainsAny(instance.SignInURL, "\\ \t\r\n"):
		errs = append(errs, &ConfigError{Path: "clerk.sign_in_url", Msg: "the sign-in URL cannot be parsed"})
	case u.Host == "" && (!strings.HasPrefix(u.Path, "/") || strings.HasPrefix(instance.SignInURL, "//")):
		errs = append(errs, &ConfigError{Path: "clerk.sign_in_url", Msg: "the sign-in URL is neither absolute nor a path", Suggestion: "write /sign-in or https://accounts.example.com/sign-in"})
	case u.Host != "" && u.Scheme != "https" && u.Scheme != "http", u.User != nil:
		errs = append(errs, &ConfigError{Path: "clerk.sign_in_url", Msg: "the sign-in URL must be http or https, without user information"})
	default:
		s.target, s.path = u, strings.TrimRight(u.Path, "/")
		s.host, _, _ = target.ParseHost(u.Host, u.Scheme)
	}
	return s, errs
}

// isOfApplication reports whether an origin is that of an extension or an
// application, with a scheme of its own: chrome-extension://, capacitor://.
func isOfApplication(text string) bool {
	scheme, host, ok := strings.Cut(text, "://")
	return ok && scheme != "" && scheme != "http" && scheme != "https" && host != "" && !strings.ContainsAny(host, "/?#@\\")
}

func parseOrigin(text string) (origin, error) {
	scheme, authority, _ := strings.Cut(text, "://")
	authority, below := strings.CutPrefix(authority, "*.")
	u, err := url.Parse(scheme + "://" + authority)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Path != "" || u.RawQuery != "" || u.Fragment != "" || u.User != nil {
		return origin{}, fmt.Errorf("%q is not an origin", text)
	}
	host, port, err := target.ParseHost(u.Host, u.Scheme)
	if err != nil {
		return origin{}, fmt.Errorf("%q is not an origin", text)
	}
	return origin{scheme: u.Scheme, host: host, port: port, below: below}, nil
}

// covers reports whether a target is of the origin, or of a host that it stands
// for.
func (o *origin) covers(t *target.Target) bool {
	if !o.below {
		return o.host == t.Host && o.port == t.Port
	}
	sub, ok := strings.CutSuffix(t.Host, "."+o.host)
	return ok && sub != "" && !strings.HasPrefix(sub, ".") && o.port == t.Port
}

// authority is the host and the port, for a wildcard those of some host below.
func (o *origin) authority() string {
	host := o.host
	if o.below {
		host = "www." + host
	}
	if o.port == "" {
		return host
	}
	return host + ":" + o.port
}

// ownPage returns the path and the hosts of the sign-in page where it is a page
// of the site itself, and no hosts where it is not.
func (s *signIn) ownPage() (path string, hosts []string) {
	switch {
	case s.target == nil:
		return "", nil
	case s.target.Host != "":
		page, err := parseOrigin(s.target.Scheme + "://" + s.target.Host)
		if err != nil || !slices.ContainsFunc(s.origins, func(o origin) bool {
			return o.scheme == page.scheme && o.covers(&target.Target{Host: page.host, Port: page.port})
		}) {
			return "", nil
		}
		hosts = []string{page.authority()}
	case len(s.origins) > 0:
		for _, o := range s.origins {
			hosts = append(hosts, o.authority())
		}
	case s.anywhere:
		hosts = []string{"localhost"} // no origin is known; rules for certain hosts cannot be found
	}
	return cmp.Or(s.target.EscapedPath(), "/"), hosts
}

// isPage reports whether a reading of a target is the sign-in page, or below it.
func (s *signIn) isPage(t *target.Target) bool {
	if s.target == nil || s.host != "" && s.host != t.Host {
		return false
	}
	return slices.ContainsFunc(t.Readings, s.isPath) || slices.ContainsFunc(t.Whole, s.isPath)
}

func (s *signIn) isPath(reading string) bool {
	if len(reading) < len(s.path) || !strings.EqualFold(reading[:len(s.path)], s.path) {
		return false
	}
	below := reading[len(s.path):]
	return below == "" || below == "/" || below[0] == '.' || below[0] == '/' && s.path != ""
}

// originOf returns the origin that the request was made to, as configured. With
// no origins configured it is what the proxy says.
func (s *signIn) originOf(t *target.Target, scheme string) (string, bool) {
	if !s.anywhere {
		i := slices.IndexFunc(s.origins, func(o origin) bool { return o.covers(t) })
		if i < 0 {
			return "", false
		}
		scheme = s.origins[i].scheme
	}
	if t.Port != "" {
		return scheme + "://" + t.Host + ":" + t.Port, true
	}
	return scheme + "://" + t.Host, true
}

// location is where a browser is sent to sign in, with the way back in
// redirect_url. It reports false where the way back is to no site of ours.
func (s *signIn) location(t *target.Target, scheme string, pending bool) (string, bool) {
	if s.target == nil {
		return "", false
	}
	site, ok := s.originOf(t, scheme)
	if !ok {
		return "", false
	}
	back := site + t.Raw
	if len(back) > maxRedirect {
		back = site + "/"
	}
	to := *s.target
	if to.Host == "" {
		base, err := url.Parse(site)
		if err != nil {
			return "", false
		}
		to.Scheme, to.Host = base.Scheme, base.Host
	}
	if pending {
		to = *to.JoinPath("tasks")
	}
	query := to.Query()
	query.Set("redirect_url", back)
	to.RawQuery = query.Encode()
	return to.String(), true
}
