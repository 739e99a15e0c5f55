package clerkapi

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/clerk/clerk-sdk-go/v2"
	sessions "github.com/clerk/clerk-sdk-go/v2/session"

	"github.com/clerkgate/clerkgate/session/internal/calls"
)

// ErrRedirected says that Clerk's Backend API answered with a redirect, which is not
// followed: it would send the secret key elsewhere.
var ErrRedirected = errors.New("clerkapi: the answer from Clerk is a redirect")

// Access is what an instance's Backend API is called with.
type Access struct {
	// URL is the base of the API, without a slash at its end: https, or http on this host.
	URL string
	// SecretKey is the instance's secret key.
	SecretKey string
	// HTTPClient makes the calls if it came from session.Client, and otherwise their
	// connections. Default: [http.DefaultClient].
	HTTPClient *http.Client
}

// ErrNoSecretKey says that an [Access] has no secret key.
var ErrNoSecretKey = errors.New("a secret key is required to ask Clerk about sessions")

// NewPageClient returns clerk-sdk-go's client for a page on which people see and end
// their sessions. Its calls have a part of the bounds of the HTTP client to themselves, so
// that they never delay the authentication of requests. A response may have 1 MiB. The
// error is that of [NewSessions].
func NewPageClient(a Access) (*sessions.Client, error) { return a.client(calls.ForPage) }

// client returns a client for the sessions of the Backend API, whose calls are of one
// kind.
func (a Access) client(kind calls.Kind) (*sessions.Client, error) {
	if a.SecretKey == "" {
		return nil, ErrNoSecretKey
	}
	if err := calls.CheckEndpoint(a.URL); err != nil {
		return nil, err
	}
	bounded := calls.Client(a.HTTPClient)
	client := &http.Client{Transport: sdkTransport{bounded, kind}, Timeout: bounded.Timeout}
	backend := clerk.BackendConfig{HTTPClient: client, URL: new(a.URL + "/v1"), Key: &a.SecretKey}
	return sessions.NewClient(&clerk.ClientConfig{BackendConfig: backend}), nil
}

// sdkTransport makes the calls of clerk-sdk-go over a bounded client, which it
// keeps alive for all who share it.
type sdkTransport struct {
	client *http.Client
	kind   calls.Kind
}

// RoundTrip implements [http.RoundTripper]. The library treats a redirect as
// success.
func (t sdkTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.client.Transport.RoundTrip(r.WithContext(calls.Because(r.Context(), t.kind, netip.Addr{})))
	if err != nil {
		return nil, err
	}
	if 300 <= resp.StatusCode && resp.StatusCode < 400 {
		resp.Body.Close()
		return nil, ErrRedirected
	}
	return resp, nil
}
