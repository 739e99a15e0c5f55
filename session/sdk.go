package session

import (
	"errors"
	"net/http"
	"net/netip"

	"github.com/clerk/clerk-sdk-go/v2"
	sessions "github.com/clerk/clerk-sdk-go/v2/session"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
)

// ErrRedirected is that Clerk's Backend API answered by sending the call
// elsewhere, which would carry the secret key away.
var ErrRedirected = errors.New("the answer from Clerk is a redirect")

// PageClient returns clerk-sdk-go's client for a page on which people see and end
// their sessions. Its calls share the bounds of [Client] and have a share of their
// own in them: whatever becomes of them, they hold up no request that is judged.
// An answer may have 1 MiB.
func PageClient(cfg Config, httpClient *http.Client) (*sessions.Client, error) {
	return sessionsClient(cfg, httpClient, calls.ForPage)
}

// sessionsClient returns a client for the sessions of the Backend API, whose calls
// are of one kind.
func sessionsClient(cfg Config, httpClient *http.Client, kind calls.Kind) (*sessions.Client, error) {
	cfg = cfg.trimmed()
	if cfg.SecretKey == "" {
		return nil, &policy.ConfigError{Path: "clerk.secret_key", Msg: "a secret key is required to ask Clerk about sessions", Suggestion: whereKeys}
	}
	if err := calls.CheckEndpoint(cfg.APIURL); err != nil {
		return nil, &policy.ConfigError{Path: "clerk.api_url", Msg: err.Error()}
	}
	bounded := Client(cfg, httpClient)
	client := &http.Client{Transport: sdkTransport{bounded, kind}, Timeout: bounded.Timeout}
	backend := clerk.BackendConfig{HTTPClient: client, URL: new(cfg.APIURL + "/v1"), Key: &cfg.SecretKey}
	return sessions.NewClient(&clerk.ClientConfig{BackendConfig: backend}), nil
}

// sdkTransport makes the calls of clerk-sdk-go over a bounded client, which it
// keeps alive for all who share it.
type sdkTransport struct {
	client *http.Client
	kind   calls.Kind
}

// RoundTrip implements [http.RoundTripper]. The library takes a redirect for
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
