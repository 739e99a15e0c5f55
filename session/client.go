package session

import (
	"cmp"
	"net/http"

	"github.com/clerkgate/clerkgate/session/internal/calls"
)

// Client returns the client for calls to Clerk, for this and for everybody else
// who has an instance's secret key: they share its bounds. It follows no
// redirect, gives up after three seconds and reads at most 256 KiB of an answer.
// The base lends its connections; nil is [http.DefaultClient]. A client that came
// from here is returned as it is.
func Client(cfg Config, base *http.Client) *http.Client {
	if base != nil {
		return calls.Client(base)
	}
	cfg = cfg.trimmed()
	return calls.SharedClient(cfg.APIURL + "\n" + cmp.Or(cfg.SecretKey, cfg.PublishableKey))
}
