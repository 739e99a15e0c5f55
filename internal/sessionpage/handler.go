package sessionpage

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
	"github.com/clerkgate/clerkgate/session"
)

// DefaultPrefix is the default path of the page.
const DefaultPrefix = "/__clerkgate/sessions"

// Revoker revokes a session at the edge, before Clerk's webhook does.
type Revoker interface {
	// RevokeSession returns once no request with a token of the session is allowed any
	// more. An error means that some may still be allowed.
	RevokeSession(ctx context.Context, sessionID string) error
}

// Options are those of [New].
type Options struct {
	// Prefix is the path of the page. Default: [DefaultPrefix].
	Prefix string
	// Clerk is the Clerk instance. Its secret key is required.
	Clerk session.Config
	// Authenticator authenticates requests. Required.
	Authenticator policy.Authenticator
	// Instance has the sign-in URL and the origins of the site.
	Instance policy.Instance
	// TrustedProxies are the proxies whose headers determine scheme and client, as in
	// the policy. Default: none.
	TrustedProxies policy.StringList
	// Request converts a request, for hosts that know more of it than net/http.
	// Default: [httpgate.Request].
	Request func(*http.Request) *policy.Request
	// Revocations knows which sessions are revoked. Default: none are.
	Revocations policy.Revocations
	// Revoker revokes ended sessions at this edge. Default: their tokens stay valid
	// until they expire.
	Revoker Revoker
	// Limiter counts requests by user. Default: one in memory.
	Limiter policy.Limiter
	// SignedOutURL is the redirect after signing out: a path of this site, or an
	// absolute URL. Default: a page that says that the user is signed out.
	SignedOutURL string
	// AccountChooserURL is the page on which users choose among the accounts of their
	// browser: a path of this site, or an absolute URL. Default: choose below the
	// sign-in URL, where Clerk's sign-in page has it.
	AccountChooserURL string
	// HTTPClient makes the connections of the calls to Clerk; see [session.Client].
	// Default: [http.DefaultClient].
	HTTPClient *http.Client
	// Logger logs sessions that were ended, at level info, and failures, at error.
	// Default: discarded.
	Logger *slog.Logger
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Handler is the HTTP handler of the page. It is safe for concurrent use.
type Handler struct {
	prefix     string
	options    Options
	policy     *policy.Policy
	clerk      *backend
	chooser    string
	cookies    []string
	csp        string // the Content-Security-Policy
	protection *http.CrossOriginProtection
}

var (
	plainPrefix = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`)
	sessionID   = regexp.MustCompile(`^sess_[A-Za-z0-9]{1,128}$`)
)

// New returns a handler. Its error joins all that is invalid in the options.
func New(o Options) (*Handler, error) {
	o.Prefix = cmp.Or(strings.TrimRight(o.Prefix, "/"), DefaultPrefix)
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Limiter == nil {
		o.Limiter = ratelimit.NewMemory(ratelimit.Options{})
	}
	if o.Request == nil {
		o.Request = httpgate.Request
	}
	h := &Handler{prefix: o.Prefix, options: o, protection: http.NewCrossOriginProtection()}
	var errs []error
	if !plainPrefix.MatchString(o.Prefix) {
		errs = append(errs, fmt.Errorf("the prefix %q is not a plain path such as %s", o.Prefix, DefaultPrefix))
	}
	for name, value := range map[string]string{"signed_out_url": o.SignedOutURL, "account_chooser_url": o.AccountChooserURL} {
		if !isLocation(value) {
			errs = append(errs, fmt.Errorf("%s %q is neither a path of this site nor an absolute URL", name, value))
		}
	}
	var err error
	if h.clerk, err = newBackend(&o); err != nil {
		errs = append(errs, err)
	}
	if h.policy, err = newPolicy(&o); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("session page: %w", errors.Join(errs...))
	}
	h.chooser = chooserURL(&o)
	h.cookies = cookieNames(o.Clerk.PublishableKey)
	h.csp = contentSecurityPolicy(&o)
	return h, nil
}

// Handles reports whether a path, as the client sent it, is the prefix or below it.
func (h *Handler) Handles(path string) bool {
	return path == h.prefix || strings.HasPrefix(path, h.prefix+"/")
}

// pageRequest is one request to the page, and its response.
type pageRequest struct {
	*Handler
	w http.ResponseWriter
	r *http.Request
	// principal is set where the route requires a signed-in user.
	principal *policy.Principal
	// html: the response is HTML, not JSON.
	html bool
}

// ServeHTTP answers requests to the page, and 404 for other paths.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	q := &pageRequest{Handler: h, w: w, r: r, html: wantsPage(r)}
	route, ok := h.route(r.URL.EscapedPath())
	switch {
	case !ok:
		q.answerProblem(problemOf(policy.ReasonNotFound))
	case !route.allows(r.Method):
		w.Header().Set("Allow", route.method)
		q.answerProblem(methodNotAllowed)
	case h.protection.Check(r) != nil || isCrossOrigin(r):
		q.answerProblem(crossOrigin)
	case route.anonymous || q.authorize():
		ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
		defer cancel()
		route.serve(ctx, q)
	}
}

// isCrossOrigin reports whether a request that changes something may come from another
// site, in addition to [http.CrossOriginProtection]: Sec-Fetch-Site or Origin is
// repeated, or both are missing and Referer names another host.
func isCrossOrigin(r *http.Request) bool {
	if r.Method == http.MethodGet || r.Method == http.MethodHead {
		return false
	}
	if len(r.Header["Sec-Fetch-Site"]) > 1 || len(r.Header["Origin"]) > 1 {
		return true
	}
	referers := r.Header["Referer"]
	if r.Header.Get("Sec-Fetch-Site") != "" || r.Header.Get("Origin") != "" || len(referers) == 0 {
		return false
	}
	from, err := url.Parse(referers[0])
	return len(referers) > 1 || err != nil || !strings.EqualFold(from.Host, r.Host)
}

// route is the handler of one path.
type route struct {
	method string
	// anonymous: the user need not be signed in.
	anonymous bool
	serve     func(context.Context, *pageRequest)
}

// allows reports whether the route has a method.
func (r route) allows(method string) bool {
	return method == r.method || method == http.MethodHead && r.method == http.MethodGet
}

// route returns the route of an undecoded path. The paths of the page need no percent
// encoding, so an encoded path has no route.
func (h *Handler) route(path string) (route, bool) {
	rest, ok := strings.CutPrefix(path, h.prefix)
	switch {
	case !ok:
		return route{}, false
	case rest == "" || rest == "/":
		return route{method: http.MethodGet, serve: list}, true
	case rest == "/sign-out":
		return route{method: http.MethodPost, serve: signOut}, true
	case rest == "/sign-out-everywhere":
		return route{method: http.MethodPost, serve: signOutEverywhere}, true
	case rest == "/signed-out":
		return route{method: http.MethodGet, serve: signedOut, anonymous: true}, true
	}
	id, ok := strings.CutSuffix(strings.TrimPrefix(rest, "/"), "/revoke")
	if !ok || !sessionID.MatchString(id) {
		return route{}, false
	}
	return route{method: http.MethodPost, serve: func(ctx context.Context, q *pageRequest) { revoke(ctx, q, id) }}, true
}
