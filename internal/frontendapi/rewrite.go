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

// forwarding is what rewrite needs of a request.
type forwarding struct {
	// rest is the path without the prefix, as it was sent.
	rest string
	// publicURL is the URL of the proxy that the client used.
	publicURL *url.URL
	// client is the address of the end user.
	client policy.ClientAddr
}

type forwardingKey struct{}

func forwardingOf(r *http.Request) forwarding {
	t, _ := r.Context().Value(forwardingKey{}).(forwarding)
	return t
}

// The header fields that Clerk requires.
const (
	proxyURLField  = "Clerk-Proxy-Url"
	secretKeyField = "Clerk-Secret-Key"
)

// removedHeaders are the header fields of the client that are removed, in any spelling:
// those that are set here, and those with an address that an upstream may trust.
var removedHeaders = []string{
	"clerk-proxy-url", "clerk-secret-key",
	"forwarded", "x-forwarded-for", "x-forwarded-host", "x-forwarded-proto", "x-forwarded-port", "x-forwarded-server", "x-forwarded-prefix",
	"x-real-ip", "x-client-ip", "x-cluster-client-ip", "x-original-forwarded-for", "x-envoy-external-address",
	"cf-connecting-ip", "cf-connecting-ipv6", "cf-pseudo-ipv4", "true-client-ip", "fastly-client-ip",
	"connection", "upgrade", "te", // hop by hop; the proxy puts some back for protocols that are not spoken here
	"expect", // the body is here
}

// rewrite makes the request to Clerk. Its URL is that of the upstream with the path
// appended: it is not resolved, so no path leads to another host.
func (h *Handler) rewrite(p *httputil.ProxyRequest) {
	t := forwardingOf(p.In)
	to := *h.upstream
	to.Path, to.RawPath = joinPath(h.upstream, t.rest)
	to.RawQuery = p.Out.URL.RawQuery
	p.Out.URL, p.Out.Host = &to, h.upstream.Host
	maps.DeleteFunc(p.Out.Header, func(name string, _ []string) bool {
		return slices.Contains(removedHeaders, foldName(name)) || policy.NeverForwarded(name)
	})
	p.Out.Trailer = nil
	p.Out.Header.Set(proxyURLField, t.publicURL.String())
	p.Out.Header.Set(secretKeyField, h.secret)
	p.Out.Header.Set("X-Forwarded-For", t.client.String())
	p.Out.Header.Set("X-Forwarded-Host", t.publicURL.Host)
	p.Out.Header.Set("X-Forwarded-Proto", t.publicURL.Scheme)
}

// joinPath appends a path to that of the upstream, decoded and as it was sent.
func joinPath(upstream *url.URL, rest string) (path, raw string) {
	raw = upstream.EscapedPath() + rest
	decoded, err := url.PathUnescape(rest)
	if err != nil { // plainPath has read it
		return "/", ""
	}
	return upstream.Path + decoded, raw
}

// foldName returns the name of a field as servers compare it that treat dashes and
// underscores as the same.
func foldName(name string) string {
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

var errProtocolSwitch = errors.New("the upstream switches protocols")

// modifyResponse changes redirects to Clerk's host to the public URL of the proxy, and
// removes trailers and fields that are not for clients. Cookies are not changed.
func (h *Handler) modifyResponse(response *http.Response) error {
	if response.StatusCode == http.StatusSwitchingProtocols {
		return errProtocolSwitch
	}
	maps.DeleteFunc(response.Header, func(name string, _ []string) bool {
		return foldName(name) == foldName(secretKeyField) || foldName(name) == foldName(proxyURLField) || policy.NeverForwarded(name)
	})
	response.Header.Del("Trailer")
	response.Trailer = nil
	response.Body = &withoutTrailer{response.Body, response}
	if location := response.Header.Get("Location"); location != "" {
		response.Header.Set("Location", h.location(response.Request, location))
	}
	return nil
}

// withoutTrailer is the body of a response, without trailers.
type withoutTrailer struct {
	io.ReadCloser
	answer *http.Response
}

// Read reads the body. At its end it removes the trailers.
func (b *withoutTrailer) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		b.answer.Trailer = nil
	}
	return n, err
}

// location returns the public URL of a redirect of Clerk's. Redirects to other hosts are
// not changed.
func (h *Handler) location(request *http.Request, text string) string {
	u, err := request.URL.Parse(text)
	if err != nil || u.Opaque != "" || u.User != nil || hostKey(u.Scheme, u.Host) != hostKey(h.upstream.Scheme, h.upstream.Host) {
		return text
	}
	rest, ok := strings.CutPrefix(u.EscapedPath(), h.upstream.EscapedPath())
	if !ok || rest != "" && rest[0] != '/' {
		return text
	}
	public := forwardingOf(request).publicURL.String() + rest
	if u.RawQuery != "" {
		public += "?" + u.RawQuery
	}
	if u.Fragment != "" {
		public += "#" + u.EscapedFragment()
	}
	return public
}
