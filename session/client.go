package session

import (
	"cmp"
	"errors"
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
	made, err := clerkapi.NewSessions(accessOf(cfg, httpClient))
	return made, accessError(err)
}

// NewTokens returns a source of the tokens of JWT templates with the configuration's
// secret key. The HTTP client lends its connections and may be nil.
func NewTokens(cfg Config, httpClient *http.Client) (*clerkapi.Tokens, error) {
	made, err := clerkapi.NewTokens(accessOf(cfg, httpClient))
	return made, accessError(err)
}

// PageClient returns clerk-sdk-go's client for a page on which people see and end
// their sessions. Its calls have a part of the bounds of [Client] to themselves, so
// that they never delay the authentication of requests. A response may have 1 MiB.
func PageClient(cfg Config, httpClient *http.Client) (*sessions.Client, error) {
	made, err := clerkapi.NewPageClient(accessOf(cfg, httpClient))
	return made, accessError(err)
}

// accessOf returns what the Backend API is called with.
func accessOf(cfg Config, httpClient *http.Client) clerkapi.Access {
	cfg = cfg.trimmed()
	return clerkapi.Access{URL: cfg.APIURL, SecretKey: cfg.SecretKey, HTTPClient: Client(cfg, httpClient)}
}

// accessError names the key of the configuration that an error is about.
func accessError(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, clerkapi.ErrNoSecretKey):
		return &policy.ConfigError{Path: "clerk.secret_key", Msg: err.Error(), Suggestion: whereKeys}
	}
	return &policy.ConfigError{Path: "clerk.api_url", Msg: err.Error()}
}
