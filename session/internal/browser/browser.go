package browser

import (
	"context"
	"net/http"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// Options are what an [Authenticator] decides by.
type Options struct {
	// Verifier verifies session tokens and the answers of handshakes, and DevSkewVerifier
	// what comes right from a handshake in development: see [DevSkew].
	Verifier, DevSkewVerifier *jwt.Verifier
	// CookieSuffix distinguishes the instance's cookies from those of others on the same
	// domain.
	CookieSuffix string
	// Production says that the instance is no development instance.
	Production bool
	// FrontendHost is the host of the instance's Frontend API, and FrontendAPI where browsers
	// reach it: that host, or the address of a proxy.
	FrontendHost, FrontendAPI string
	// ProxyURL is where this site proxies the Frontend API, an absolute URL or a path; "" where
	// it does not.
	ProxyURL string
	// SignInURL is where visitors sign in; "" for the Account Portal.
	SignInURL string
	// Satellite says that sign-in happens at another domain, which SatelliteAutoSync asks on
	// the first visit already.
	Satellite, SatelliteAutoSync bool
	// AuthorizedParties are the origins whose tokens are accepted; none accepts all. Origins
	// are those among them that pages can be of.
	AuthorizedParties, Origins []string
	// OrganizationPaths are patterns of paths that name an organization, and PersonalPaths of
	// those of the personal account.
	OrganizationPaths, PersonalPaths []string
	// APIURL is the base of Clerk's Backend API, without a slash at its end, and SecretKey the
	// instance's key for it; without, nothing is exchanged or refreshed.
	APIURL, SecretKey string
	// HTTPClient makes the calls, or lends its connections to them; it may be nil.
	HTTPClient *http.Client
	// ReferenceCompat decides as Clerk's own library does.
	ReferenceCompat bool
}

// Authenticator authenticates the session of a browser, or a session token in
// an Authorization field. It is safe for concurrent use.
type Authenticator struct {
	o       Options
	relaxed compat.Relaxations
	backend *backend
	answers *otter.Cache[fingerprint.Sum, struct{}] // of handshakes, that were taken

	names         cookieNames   // with the instance's suffix
	origins       []*weburl.URL // of the authorized parties
	organizations *organizations
}

// New returns an authenticator. The error is that of a pattern of paths.
func New(o Options) (*Authenticator, error) {
	a := &Authenticator{
		o:       o,
		relaxed: compat.Of(o.ReferenceCompat),
		backend: newBackend(o),
		answers: newAnswers(),
		names:   suffixedNames(o.CookieSuffix),
	}
	for _, origin := range o.Origins {
		if u, ok := weburl.Parse(origin); ok {
			a.origins = append(a.origins, u)
		}
	}
	var err error
	a.organizations, err = newOrganizations(o)
	return a, err
}

// Renew answers for a principal that the cookies of a request name and that is no
// longer valid as it stands, for the reason given: a browser loading a page is sent to
// the Frontend API, everybody else is signed out for the reason.
func (a *Authenticator) Renew(ctx context.Context, v *Visit, reason policy.Reason) policy.AuthState {
	if v.Bearer || v.Repeated {
		return a.signedOut(v, reason)
	}
	if state, decided := a.selectCookies(ctx, v); decided {
		return state
	}
	return a.renew(v, reason, nil)
}
