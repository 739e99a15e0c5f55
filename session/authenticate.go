package session

import (
	"cmp"
	"context"
	"errors"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/machine"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// Options are what an [Authenticator] needs beside its configuration. All may
// be left out.
type Options struct {
	// HTTPClient makes the calls to Clerk, or lends its connections to them: see
	// [Client]. Default: [http.DefaultClient].
	HTTPClient *http.Client
	// Logger hears of failed fetches. Default: nobody.
	Logger *slog.Logger
	// Now is the clock of the background. Default: [time.Now].
	Now func() time.Time
	// KeySet replaces the key set that the configuration names. It is neither
	// started nor closed.
	KeySet jwt.KeySet
	// Cache is shared with earlier authenticators, so that a reload does not
	// verify all tokens again. Default: a new one.
	Cache *jwt.Cache
}

// Authenticator establishes who is asking from session tokens. It is safe for
// concurrent use.
type Authenticator struct {
	config   Config
	key      PublishableKey
	relaxed  compat.Relaxations
	verifier *jwt.Verifier
	// devSkewVerifier is for what comes right from a handshake in development.
	devSkewVerifier *jwt.Verifier
	machines        *machine.Authenticator
	backend         *backend
	answers         *otter.Cache[fingerprint.Sum, struct{}] // of handshakes, that were taken
	remote          *jwt.RemoteKeySet                       // nil where keys are not fetched

	frontendHost  string
	names         cookieNames   // with the instance's suffix
	origins       []*weburl.URL // of the authorized parties
	organizations *organizations
}

// New returns an authenticator for a configuration, or everything that is wrong
// with it.
func New(cfg Config, opts Options) (*Authenticator, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	cfg = cfg.trimmed()
	opts.HTTPClient = Client(cfg, opts.HTTPClient)
	key, err := ParsePublishableKey(cfg.PublishableKey)
	if err != nil && !cfg.ReferenceCompat {
		return nil, err
	}
	a := &Authenticator{
		config:       cfg,
		key:          key,
		relaxed:      cfg.relaxed(),
		frontendHost: key.frontendHost(cfg.Domain, cfg.Satellite),
		names:        suffixedNames(cfg.PublishableKey),
		backend:      newBackend(cfg, opts.HTTPClient),
		answers:      newAnswers(),
	}
	for _, party := range cfg.Origins() {
		if u, ok := weburl.Parse(party); ok {
			a.origins = append(a.origins, u)
		}
	}
	if a.organizations, err = newOrganizations(cfg); err != nil {
		return nil, err
	}
	keys, err := a.keySet(opts)
	if err != nil {
		return nil, err
	}
	if a.machines, err = a.newMachines(keys, opts.HTTPClient); err != nil {
		return nil, err
	}
	cache := opts.Cache
	if cache == nil {
		cache = jwt.NewCache()
	}
	expected := a.expected()
	a.verifier = jwt.NewVerifier(expected, keys, cache)
	expected.Leeway = developmentSkew
	a.devSkewVerifier = jwt.NewVerifier(expected, keys, cache)
	return a, nil
}

// newMachines returns a judge of machine tokens for the configuration.
func (a *Authenticator) newMachines(keys jwt.KeySet, httpClient *http.Client) (*machine.Authenticator, error) {
	expected := a.expected()
	if a.config.ReferenceCompat && a.config.JWTKey == "" && a.config.SecretKey == "" {
		keys = nil // the reference knows no other place to have keys from
	}
	return machine.New(machine.Options{
		Signed: jwt.NewMachineVerifier(expected, keys), Audience: expected.Audience,
		APIURL: a.config.APIURL, SecretKey: a.config.SecretKey, MachineSecretKey: a.config.MachineSecretKey,
		HTTPClient: httpClient, ReferenceCompat: a.config.ReferenceCompat,
	})
}

// expected returns what the configuration says of tokens.
func (a *Authenticator) expected() jwt.Expected {
	return jwt.Expected{
		Issuers:           a.issuers(),
		AuthorizedParties: a.config.AuthorizedParties,
		Audience:          a.audience(),
		Leeway:            a.config.skew(),
		ReferenceCompat:   a.config.ReferenceCompat,
	}
}

// audience is what claim aud is compared with. An empty text is nothing to the
// reference; by default it is an audience that no token has.
func (a *Authenticator) audience() []string {
	if !a.relaxed.Audience {
		return a.config.Audience
	}
	return nonEmpty(a.config.Audience)
}

// nonEmpty returns the texts of a list that are not empty.
func nonEmpty(list []string) []string {
	return slices.DeleteFunc(slices.Clone(list), func(s string) bool { return s == "" })
}

// keySet returns the key set of the configuration: the PEM key, else the Backend
// API's set, else the Frontend API's public one.
func (a *Authenticator) keySet(opts Options) (jwt.KeySet, error) {
	switch {
	case opts.KeySet != nil:
		return opts.KeySet, nil
	case a.config.JWTKey != "":
		return a.config.staticKeys()
	}
	source := jwt.RemoteKeys{HTTPClient: opts.HTTPClient, Logger: opts.Logger, Now: opts.Now, ReferenceCompat: a.config.ReferenceCompat}
	if a.config.SecretKey != "" {
		source.URL, source.SecretKey = a.config.APIURL+"/v1/jwks", a.config.SecretKey
	} else {
		source.URL = "https://" + a.key.Host + "/.well-known/jwks.json"
	}
	remote, err := jwt.NewRemoteKeySet(source)
	a.remote = remote
	return remote, err
}

// Authenticate implements [policy.Authenticator].
func (a *Authenticator) Authenticate(ctx context.Context, r *policy.Request, accept policy.TokenTypes, now time.Time) policy.AuthState {
	v := a.visit(r, now)
	if a.relaxed.Credentials {
		if state, decided := a.asReference(v, accept); decided {
			return state
		}
	}
	switch {
	case v.repeated:
		return failed(refuse(policy.ReasonAuthorizationTwice, "more than one Authorization field"))
	case v.bearer:
		return a.machines.Bearer(ctx, calls.CausedBy(r), v.token, accept, now, func(ctx context.Context, token string, _ time.Time) policy.AuthState {
			return a.byToken(ctx, v, token)
		})
	case !accept.Has(policy.SessionToken):
		return policy.AuthState{Reason: policy.ReasonTokenType, Presented: v.presented()}
	}
	return a.byCookies(ctx, v)
}

// Renew answers for a principal that the cookies of a request name and that no
// longer counts as it stands, for the reason given: a browser loading a page is
// sent to the Frontend API, everybody else is signed out for the reason.
func (a *Authenticator) Renew(ctx context.Context, r *policy.Request, reason policy.Reason, now time.Time) policy.AuthState {
	v := a.visit(r, now)
	if v.bearer || v.repeated {
		return a.signedOut(v, reason)
	}
	if state, decided := a.choose(ctx, v); decided {
		return state
	}
	return a.renew(v, reason, nil)
}

// byToken decides by the token of the Authorization field.
func (a *Authenticator) byToken(ctx context.Context, v *visit, token string) policy.AuthState {
	if a.relaxed.Categories {
		if t, err := unverified.Decode(token, a.relaxed, nil); err == nil && !t.IsSession() {
			return failed(refuse(policy.ReasonTokenType, "not a session token"))
		}
	}
	p, err := a.verifier.Verify(ctx, token, v.now)
	if err != nil {
		if a.relaxed.Bearers {
			v.suffixed = a.choosesSuffixed(&v.cookies, v.now)
		}
		return a.tokenFailed(ctx, v, token, err)
	}
	return signedIn(p)
}

func signedIn(p *policy.Principal) policy.AuthState {
	return policy.AuthState{Status: policy.SignedIn, Principal: p, Presented: true}
}

// failed is the state of a credential that does not hold, or of which that
// cannot be told.
func failed(err error) policy.AuthState {
	state := policy.AuthState{Status: policy.SignedOut, Reason: policy.ReasonUnexpectedError, Presented: true, Cause: err}
	if e, ok := errors.AsType[*jwt.Error](err); ok {
		state.Reason = cmp.Or(sessionReasons[e.Reason], e.Reason)
	}
	if isKeyOutage(err) {
		state.Status = policy.Unavailable
	}
	return state
}

// sessionReasons are the words that Clerk has for a request whose token is out
// of its time.
var sessionReasons = map[policy.Reason]policy.Reason{
	policy.ReasonTokenExpired:    policy.ReasonSessionExpired,
	policy.ReasonTokenNotActive:  policy.ReasonSessionNotYet,
	policy.ReasonTokenFromFuture: policy.ReasonSessionFromFuture,
}

// Start fetches the keys and keeps them fresh until ctx ends or
// [Authenticator.Close] is called. Call it once; without keys to fetch it does
// nothing.
func (a *Authenticator) Start(ctx context.Context) {
	if a.remote != nil {
		a.remote.Start(ctx)
	}
}

// Close stops what Start started, and waits for it.
func (a *Authenticator) Close() {
	if a.remote != nil {
		a.remote.Close()
	}
}

// Ready reports whether there are keys to verify tokens with.
func (a *Authenticator) Ready() bool { return a.remote == nil || a.remote.Ready() }

var _ policy.Authenticator = (*Authenticator)(nil)
