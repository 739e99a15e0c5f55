package frontendapi

import (
	"errors"
	"io"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// trip is what was established about a request before it goes out.
type trip struct {
	// rest is the path without the prefix, as it was sent.
	rest string
	// public is the address of the proxy that the request was made to.
	public *url.URL
	// client is the address of the end user.
	client policy.ClientAddr
}

type tripKey struct{}

func tripOf(r *http.Request) trip {
	t, _ := r.Context().Value(tripKey{}).(trip)
	return t
}

// The fields that Clerk asks for.
const (
	proxyURLField  = "Clerk-Proxy-Url"
	secretKeyField = "Clerk-Secret-Key"
)

// ours are the fields that are set here or mean nothing to Clerk; clients do not
// get to send them, in no spelling. The other addresses are there because
// somebody might believe them.
var ours = []string{
	"clerk-proxy-url", "clerk-secret-key",
	"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix",
	"x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for", "x-envoy-external-address",
	"cf-connecting-ip", "cf-connecting-ipv6", "cf-pseudo-ipv4", "true-client-ip", "fastly-client-ip",
	"connection", "upgrade", "te", // hop by hop; the proxy puts some back for protocols that are not spoken here
	"expect", // the body is here
}

// rewrite turns a request into the one that goes to Clerk. The address is a copy
// of the upstream's with the path put after its own: nothing is resolved, so no
// path leads elsewhere.
func (h *Handler) rewrite(p *httputil.ProxyRequest) {
	t := tripOf(p.In)
	to := *h.upstream
	to.Path, to.RawPath = joinPath(h.upstream, t.rest)
	to.RawQuery = p.Out.URL.RawQuery
	p.Out.URL, p.Out.Host = &to, h.upstream.Host
	maps.DeleteFunc(p.Out.Header, func(name string, _ []string) bool {
		return slices.Contains(ours, folded(name)) || policy.NeverForwarded(name)
	})
	p.Out.Trailer = nil
	p.Out.Header.Set(proxyURLField, t.public.String())
	p.Out.Header.Set(secretKeyField, h.secret)
	p.Out.Header.Set("X-Forwarded-For", t.client.String())
	p.Out.Header.Set("X-Forwarded-Host", t.public.Host)
	p.Out.Header.Set("X-Forwarded-Proto", t.public.Scheme)
}

// joinPath puts a path that was sent after the upstream's own, decoded and as it
// was spelt.
func joinPath(upstream *url.URL, rest string) (path, raw string) {
	raw = upstream.EscapedPath() + rest
	decoded, err := url.PathUnescape(rest)
	if err != nil { // plainPath has read it
		return "/", ""
	}
	return upstream.Path + decoded, raw
}

// folded is a field's name as servers compare it that do not tell dashes from
// underscores.
func folded(name string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case 'A' <= r && r <= 'Z':
			return r + 'a' - 'A'
		case 'a' <= r && r <= 'z', '0' <= r && r <= '9':
			return r
		}
		return '-'
	}, name)
}

var errSwitch = errors.New("the upstream switches protocols")

// modify makes an answer one of this site: redirects to Clerk's host lead through
// the proxy again. Cookies pass as they are.
func (h *Handler) modify(response *http.Response) error {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return errSwitch
	}
	maps.DeleteFunc(response.Header, func(name string, _ []string) bool {
		return folded(name) == folded(secretKeyField) || folded(name) == folded(proxyURLField) || policy.NeverForwarded(name)
	})
	response.Header.Del("Trailer")
	response.Trailer = nil
	response.Body = &withoutTrailer{response.Body, response}
	if location := response.Header.Get("Location"); location != "" {
		response.Header.Set("Location", h.location(response.Request, location))
	}
	return nil
}

// withoutTrailer is the body of an answer whose fields all come before it.
type withoutTrailer struct {
	io.ReadCloser
	answer *http.Response
}

// Read reads on. Fields that came after the end are forgotten.
func (b *withoutTrailer) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.answer.Trailer = nil
	}
	return n, err
}

// location is where a redirect of Clerk's leads, seen from outside. Other hosts
// stay as they are.
func (h *Handler) location(request *http.Request, text string) string {
	u, err := request.URL.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || hostKey(u.Scheme, u.Host) != hostKey(h.upstream.Scheme, h.upstream.Host) {
		return text
	}
	rest, ok := strings.CutPrefix(u.EscapedPath(), h.upstream.EscapedPath())
	if !ok || rest != "" && rest[0] != '/' {
		return text
	}
	public := tripOf(request).public.String() + rest
	if u.RawQuery != "" {
		public += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		public += "#" + u.EscapedFragment()
	}
	return public
}
