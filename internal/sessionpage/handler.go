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

// DefaultPrefix is where the page is unless told otherwise.
const DefaultPrefix = "/__clerkgate/sessions"

// Revoker ends a session at the edge, before Clerk's webhook says so.
type Revoker interface {
	// RevokeSession returns once no request with a token of the session passes
	// any more.
	RevokeSession(ctx context.Context, sessionID string) error
}

// Options are what a [Handler] needs.
type Options struct {
	// Prefix is the path the page is at. Default: [DefaultPrefix].
	Prefix string
	// Clerk is the instance. Its secret key is required.
	Clerk session.Config
	// Authenticator establishes who is asking. Required.
	Authenticator policy.Authenticator
	// Instance is where to sign in, and the origins of the site.
	Instance policy.Instance
	// TrustedProxies are believed about scheme and client, as in the policy.
	TrustedProxies policy.StringList
	// Request returns the facts of a request, for hosts that know more of it than
	// net/http does. Default: [httpgate.Request].
	Request func(*http.Request) *policy.Request
	// Revocations is asked whether the session of a request has ended. Default:
	// none has before its token.
	Revocations policy.Revocations
	// Revoker ends sessions at this edge. Default: their tokens end by
	// themselves.
	Revoker Revoker
	// Limiter counts requests by user. Default: one in memory.
	Limiter policy.Limiter
	// SignedOutURL is where a browser goes once it is signed out: a path of this
	// site, or an absolute URL. Default: a page of the handler that says so.
	SignedOutURL string
	// AccountChooserURL is where people choose among the accounts of their
	// browser, in the same form. Default: choose below the sign-in page, where
	// Clerk's sign-in has it.
	AccountChooserURL string
	// HTTPClient makes the calls to Clerk, or lends its connections to them: see
	// [session.Client].
	HTTPClient *http.Client
	// Logger hears of sessions that were ended, and of failures. Default: nobody.
	Logger *slog.Logger
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Handler is the page. It is safe for concurrent use.
type Handler struct {
	prefix     string
	options    Options
	guard      *policy.Policy
	clerk      *backend
	chooser    string
	cookies    []string
	security   string // the Content-Security-Policy
	protection *http.CrossOriginProtection
}

var (
	plainPrefix = regexp.MustCompile(`^(/[A-Za-z0-9_-][A-Za-z0-9._-]*)+$`)
	sessionID   = regexp.MustCompile(`^sess_[A-Za-z0-9]{1,128}$`)
)

// New returns a handler, or everything that is wrong with its options.
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
	if h.guard, err = newGuard(&o); err != nil {
		errs = append(errs, err)
	}
	if len(errs) > 0 {
		return nil, fmt.Errorf("session page: %w", errors.Join(errs...))
	}
	h.chooser = chooserURL(&o)
	h.cookies = cookieNames(o.Clerk.PublishableKey)
	h.security = contentSecurity(&o)
	return h, nil
}

// Handles reports whether a path, as the client sent it, is one of the page's.
func (h *Handler) Handles(path string) bool {
	return path == h.prefix || strings.HasPrefix(path, h.prefix+"/")
}

// visit is one request to the page.
type visit struct {
	*Handler
	w http.ResponseWriter
	r *http.Request
	// who is asking: set where the route wants somebody signed in.
	who *policy.Principal
	// page: the answer is for people, not for programs.
	page bool
}

// ServeHTTP answers requests to the page. Others are not found.
func (h *Handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	v := &visit{Handler: h, w: w, r: r, page: wantsPage(r)}
	route, ok := h.route(r.URL.EscapedPath())
	switch {
	case !ok:
		v.refuse(problemOf(policy.ReasonNotFound))
	case !route.takes(r.Method):
		w.Header().Set("Allow", route.method)
		v.refuse(methodNotAllowed)
	case h.protection.Check(r) != nil || refersElsewhere(r):
		v.refuse(crossOrigin)
	case route.open || v.enter():
		ctx, cancel := context.WithTimeout(r.Context(), actionTimeout)
		defer cancel()
		route.serve(ctx, v)
	}
}

// refersElsewhere reports whether the fields by which browsers say where a change
// comes from contradict each other, or whether one that sends none of them names
// another site in the field of before.
func refersElsewhere(r *http.Request) bool {
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

// route is what is at one path.
type route struct {
	method string
	// open: nobody needs to be signed in.
	open  bool
	serve func(context.Context, *visit)
}

// takes reports whether the route answers to a method.
func (r route) takes(method string) bool {
	return method == r.method || method == http.MethodHead && r.method == http.MethodGet
}

// route finds the route of an undecoded path. Nothing in the paths of the page
// needs an escape, so that an escape is a path of something else.
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
		return route{method: http.MethodGet, serve: signedOut, open: true}, true
	}
	id, ok := strings.CutSuffix(strings.TrimPrefix(rest, "/"), "/revoke")
	if !ok || !sessionID.MatchString(id) {
		return route{}, false
	}
	return route{method: http.MethodPost, serve: func(ctx context.Context, v *visit) { revoke(ctx, v, id) }}, true
}
