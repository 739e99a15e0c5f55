package session

import (
	"cmp"
	"net/http"

	sessions "github.com/clerk/clerk-sdk-go/v2/session"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/clerkapi"
	"github.com/clerkgate/clerkgate/session/internal/calls"
)

// Client returns the client for calls to Clerk. All clients of one instance, by its
// secret key, share bounds: on calls under way, and on calls that clients of the site
// can cause. It follows no redirect, times out after three seconds and reads at most 256
// KiB of a response. Connections are those of base; nil is [http.DefaultClient]. A client
// that came from here is returned as it is.
func Client(cfg Config, base *http.Client) *http.Client {
	if base != nil {
		return calls.Client(base)
	}
	cfg = cfg.trimmed()
	return calls.SharedClient(cfg.APIURL + "\n" + cmp.Or(cfg.SecretKey, cfg.PublishableKey))
}

// NewSessions returns a lookup of sessions with the configuration's secret key. The HTTP
// client lends its connections and may be nil.
func NewSessions(cfg Config, httpClient *http.Client) (*clerkapi.Sessions, error) {
	a, err := accessOf(cfg, httpClient)
	if err != nil {
		return nil, err
	}
	return clerkapi.NewSessions(a)
}

// NewTokens returns a source of the tokens of JWT templates with the configuration's
// secret key. The HTTP client lends its connections and may be nil.
func NewTokens(cfg Config, httpClient *http.Client) (*clerkapi.Tokens, error) {
	a, err := accessOf(cfg, httpClient)
	if err != nil {
		return nil, err
	}
	return clerkapi.NewTokens(a)
}

// PageClient returns clerk-sdk-go's client for a page on which people see and end
// their sessions. Its calls have a part of the bounds of [Client] to themselves, so
// that they never delay the authentication of requests. A response may have 1 MiB.
func PageClient(cfg Config, httpClient *http.Client) (*sessions.Client, error) {
	a, err := accessOf(cfg, httpClient)
	if err != nil {
		return nil, err
	}
	return clerkapi.NewPageClient(a)
}

// accessOf returns what the Backend API is called with, or what of the configuration is
// wrong with that.
func accessOf(cfg Config, httpClient *http.Client) (clerkapi.Access, error) {
	cfg = cfg.trimmed()
	if cfg.SecretKey == "" {
		return clerkapi.Access{}, &policy.ConfigError{Path: "clerk.secret_key", Msg: "a secret key is required to ask Clerk about sessions", Suggestion: whereKeys}
	}
	if err := calls.CheckEndpoint(cfg.APIURL); err != nil {
		return clerkapi.Access{}, &policy.ConfigError{Path: "clerk.api_url", Msg: err.Error()}
	}
	return clerkapi.Access{URL: cfg.APIURL, SecretKey: cfg.SecretKey, HTTPClient: Client(cfg, httpClient)}, nil
}
