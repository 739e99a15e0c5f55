package frontendapi

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log"
	"log/slog"
	"maps"
	"net/http"
	"net/http/httputil"
	"net/url"
	"slices"
	"strings"
	"time"

	"golang.org/x/time/rate"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// Bounds of one request.
const (
	maxBody       = 10 << 20         // bytes that a client may send
	headerTimeout = 10 * time.Second // until Clerk begins to answer
	totalTimeout  = 30 * time.Second
	maxHeader     = 256 << 10 // bytes of the fields of an answer
	maxConns      = 256       // connections to Clerk, and requests that have one
	maxConnsOf    = 64        // requests of one network that have one
	maxUploads    = 16        // bodies of more than 64 KiB that are on their way
	maxUploadsOf  = 4         // from one network
)

// Options are those of [New].
type Options struct {
	// Clerk is the Clerk instance. Its publishable key, secret key and proxy URL are
	// required. If the proxy URL is a path, it is that path on each of the authorized
	// parties.
	Clerk session.Config
	// Upstream is the base URL of Clerk's Frontend API. Default: [DefaultUpstream].
	Upstream string
	// TrustedProxies are the proxies whose headers determine the client's address, as in
	// the policy. Default: none.
	TrustedProxies policy.StringList
	// Request converts a request, for hosts that know more of it than net/http.
	// Default: [httpgate.Request].
	Request func(*http.Request) *policy.Request
	// Transport makes the connections. Default: one of the handler's own.
	Transport http.RoundTripper
	// Logger logs requests that failed, at level warn, and those whose client is unknown,
	// at error. Default: discarded.
	Logger *slog.Logger
}

// Handler is the HTTP handler of the proxy. It is safe for concurrent use.
type Handler struct {
	prefix        string
	byHost        map[string]*url.URL
	upstream      *url.URL
	secret        string
	request       func(*http.Request) *policy.Request
	requestPolicy *policy.Policy
	bodies        bodyReader
	conns         slots
	busyLog       rate.Sometimes
	proxy         *httputil.ReverseProxy
	logger        *slog.Logger
	warnings      []policy.Warning
}

// New returns a proxy. Its error joins all that is invalid in the options, and contains
// no keys.
func New(o Options) (*Handler, error) {
	h := &Handler{
		request: o.Request, secret: strings.TrimSpace(o.Clerk.SecretKey), logger: o.Logger, busyLog: rate.Sometimes{Interval: time.Minute},
		conns: newSlots(maxConns, maxConnsOf), bodies: bodyReader{uploads: newSlots(maxUploads, maxUploadsOf)},
	}
	if h.request == nil {
		h.request = httpgate.Request
	}
	if h.logger == nil {
		h.logger = slog.New(slog.DiscardHandler)
	}
	errs := []error{o.Clerk.Validate()}
	if h.secret == "" {
		errs = append(errs, configError("secret_key", "is required: Clerk accepts proxied requests only with it", "copy it from the dashboard, sk_..."))
	}
	if strings.HasPrefix(strings.TrimSpace(o.Clerk.PublishableKey), "pk_test_") {
		h.warnings = append(h.warnings, policy.Warning{
			ID: policy.WarnProxyDevelopment, Path: "clerk.proxy_url", Suggestion: "leave it out with a pk_test_ key",
			Msg: "the Frontend API proxy is for production instances: Clerk does not take proxied requests for a pk_test_ key",
		})
	}
	upstream := o.Upstream
	if upstream == "" {
		upstream = DefaultUpstream(o.Clerk.PublishableKey)
	}
	var err error
	if h.upstream, err = parseUpstream(upstream); err != nil {
		errs = append(errs, err)
	}
	if h.byHost, h.prefix, err = publicURLs(o.Clerk.ProxyURL, o.Clerk.Origins()); err != nil {
		errs = append(errs, err)
	}
	if h.requestPolicy, err = newRequestPolicy(o.TrustedProxies); err != nil {
		errs = append(errs, err)
	}
	if err := errors.Join(errs...); err != nil {
		return nil, fmt.Errorf("frontend API proxy: %w", err)
	}
	h.proxy = &httputil.ReverseProxy{
		Rewrite:        h.rewrite,
		Transport:      o.Transport,
		ModifyResponse: h.modifyResponse,
		ErrorHandler:   h.failed,
		ErrorLog:       log.New(io.Discard, "", 0), // failed logs what matters, without text of the traffic
	}
	if o.Transport == nil {
		h.proxy.Transport = newTransport()
	}
	return h, nil
}

// newTransport returns the transport to Clerk. It does not change the encoding of bodies.
func newTransport() *http.Transport {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.ResponseHeaderTimeout = headerTimeout
	t.MaxResponseHeaderBytes = maxHeader
	t.MaxConnsPerHost = maxConns
	t.MaxIdleConnsPerHost = 32
	t.DisableCompression = true
	return t
}

// newRequestPolicy returns a policy that parses requests as the site's policy does: it
// denies malformed requests, determines the client's address, and allows all others.
func newRequestPolicy(trusted policy.StringList) (*policy.Policy, error) {
	return policy.New(policy.Config{
		TrustedProxies: trusted,
		Rules:          []policy.Rule{{Name: "frontend-api", Match: policy.Match{Path: policy.StringList{"/(.*)"}}, Access: policy.Bypass}},
		Default:        policy.Default{Access: policy.DenyAccess},
	}, policy.Deps{Now: time.Now})
}

// Warnings returns valid options that are probably mistakes.
func (h *Handler) Warnings() []policy.Warning { return slices.Clone(h.warnings) }

// Prefix returns the path of the proxy.
func (h *Handler) Prefix() string { return h.prefix }

// Handles reports whether a path, as the client sent it, is the prefix or below it. It
// compares byte for byte: another spelling of the path belongs to the site.
func (h *Handler) Handles(path string) bool {
	_, ok := pathBelow(path, h.prefix)
	return ok
}

// ServeHTTP forwards a request to Clerk. It answers 400 for other paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	rest, ok := pathBelow(r.URL.EscapedPath(), h.prefix)
	switch {
	case !ok, rest != "/" && !plainPath(strings.TrimSuffix(rest, "/")):
		writeError(w, http.StatusBadRequest, codePath, "The path is not one of the Frontend API.")
		return
	case r.Method == http.MethodConnect || r.Method == http.MethodTrace:
		writeError(w, http.StatusMethodNotAllowed, codeRequest, "The Frontend API does not take this method.")
		return
	case r.ContentLength > maxBody:
		h.tooLarge(w)
		return
	}
	public, ok := h.byHost[h.hostOf(r)]
	if !ok {
		writeError(w, http.StatusMisdirectedRequest, codeConfiguration, "The Frontend API is not proxied on this host.")
		return
	}
	d := h.requestPolicy.Decide(r.Context(), h.request(r))
	if !d.Allowed() {
		writeError(w, d.Status, codeRequest, d.Reason.Detail())
		return
	}
	if !d.Client.IsValid() {
		h.logger.Error("frontend API proxy: the client's address is not known")
		writeError(w, http.StatusInternalServerError, codeConfiguration, "The client's address is not known.")
		return
	}
	h.forward(w, r, forwarding{rest: rest, publicURL: public, client: d.Client})
}

// forward reads the body, and then forwards the request to Clerk.
func (h *Handler) forward(w http.ResponseWriter, r *http.Request, t forwarding) {
	from := t.client.Network()
	body, err := h.bodies.readBody(w, r, from)
	if err != nil {
		h.failed(w, r, err)
		return
	}
	if !h.conns.acquire(from) {
		h.failed(w, r, errBusy)
		return
	}
	defer h.conns.release(from)
	ctx, cancel := context.WithTimeout(r.Context(), totalTimeout)
	defer cancel()
	r = r.WithContext(context.WithValue(ctx, forwardingKey{}, t))
	r.Body, r.ContentLength, r.TransferEncoding = http.NoBody, int64(len(body)), nil
	if len(body) > 0 {
		r.Body = io.NopCloser(bytes.NewReader(body))
	}
	h.proxy.ServeHTTP(w, r)
}

// hostOf returns the host of a request as a key of byHost. A proxy with one public URL
// uses it for every host, since a proxy in front may change Host.
func (h *Handler) hostOf(r *http.Request) string {
	if len(h.byHost) == 1 {
		for host := range maps.Keys(h.byHost) {
			return host
		}
	}
	host := hostKey("https", r.Host)
	if _, ok := h.byHost[host]; !ok {
		host = hostKey("http", r.Host)
	}
	return host
}
