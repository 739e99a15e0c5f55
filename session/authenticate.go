package session

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/browser"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/machine"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// Options are what an [Authenticator] needs beside its configuration. All may
// be left out.
type Options struct {
	// HTTPClient makes the calls to Clerk, or lends its connections to them: see
	// [Client]. Default: [http.DefaultClient].
	HTTPClient *http.Client
	// Logger logs failed fetches of keys. Default: discarded.
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

// Authenticator authenticates requests by session tokens and machine tokens. It is safe
// for concurrent use.
type Authenticator struct {
	config   Config
	key      PublishableKey
	relaxed  compat.Relaxations
	browsers *browser.Authenticator
	machines *machine.Authenticator
	remote   *jwt.RemoteKeySet // nil where keys are not fetched

	frontendHost string
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
	}
	keys, err := a.keySet(opts)
	if err != nil {
		return nil, err
	}
	if a.machines, err = a.newMachines(keys, opts.HTTPClient); err != nil {
		return nil, err
	}
	if a.browsers, err = a.newBrowsers(keys, opts); err != nil {
		return nil, err
	}
	return a, nil
}

// newBrowsers returns what judges browsers for the configuration.
func (a *Authenticator) newBrowsers(keys jwt.KeySet, opts Options) (*browser.Authenticator, error) {
	cache := opts.Cache
	if cache == nil {
		cache = jwt.NewCache()
	}
	cfg, expected := &a.config, a.expected()
	o := browser.Options{
		Verifier:     jwt.NewVerifier(expected, keys, cache),
		CookieSuffix: CookieSuffix(cfg.PublishableKey), Production: a.key.Production,
		FrontendHost: a.frontendHost, FrontendAPI: a.FrontendAPI(), ProxyURL: cfg.ProxyURL, SignInURL: cfg.SignInURL,
		Satellite: cfg.Satellite, SatelliteAutoSync: cfg.SatelliteAutoSync,
		AuthorizedParties: cfg.AuthorizedParties, Origins: cfg.Origins(),
		APIURL: cfg.APIURL, SecretKey: cfg.SecretKey, HTTPClient: opts.HTTPClient, ReferenceCompat: cfg.ReferenceCompat,
	}
	if sync := cfg.OrganizationSync; sync != nil {
		o.OrganizationPaths, o.PersonalPaths = sync.Organization, sync.Personal
	}
	expected.Leeway = browser.DevSkew
	o.DevSkewVerifier = jwt.NewVerifier(expected, keys, cache)
	return browser.New(o)
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
	v := a.browsers.Visit(r, now)
	if a.relaxed.Credentials {
		if state, decided := a.asReference(v, accept); decided {
			return state
		}
	}
	switch {
	case v.Repeated:
		return policy.AuthState{Reason: policy.ReasonAuthorizationTwice, Presented: true, Cause: jwt.NewError(policy.ReasonAuthorizationTwice, "more than one Authorization field")}
	case v.Bearer:
		return a.machines.Bearer(ctx, calls.CausedBy(r), v.Token, accept, now, func(ctx context.Context, token string, _ time.Time) policy.AuthState {
			return a.browsers.ByToken(ctx, v, token)
		})
	case !accept.Has(policy.SessionToken):
		return policy.AuthState{Reason: policy.ReasonTokenType, Presented: v.Presented()}
	}
	return a.browsers.ByCookies(ctx, v)
}

// Renew is for a request whose cookies are valid, but whose claims are stale or revoked,
// for the reason given. A browser that loads a page is redirected to the Frontend API;
// any other request is signed out, with the reason.
func (a *Authenticator) Renew(ctx context.Context, r *policy.Request, reason policy.Reason, now time.Time) policy.AuthState {
	return a.browsers.Renew(ctx, a.browsers.Visit(r, now), reason)
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

// Keys are the keys that an [Authenticator] verifies tokens with, for those who operate
// it.
type Keys struct {
	// Configured says that they are part of the configuration, and never fetched.
	Configured bool
	// Fetched is when they were last fetched; the zero time for never.
	Fetched time.Time
	// Err is how the last fetch failed; nil if it did not. No key and no token is in its
	// text.
	Err error
}

// Keys returns the state of the keys.
func (a *Authenticator) Keys() Keys {
	if a.remote == nil {
		return Keys{Configured: true}
	}
	fetched, err := a.remote.LastFetch()
	answer, ok := errors.AsType[*calls.AnswerError](err)
	if ok && answer.Status == http.StatusUnauthorized && a.config.SecretKey != "" {
		err = fmt.Errorf("the secret key is not taken: %w", err)
	}
	return Keys{Fetched: fetched, Err: err}
}

var _ policy.Authenticator = (*Authenticator)(nil)
