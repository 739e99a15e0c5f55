package browser

import (
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// What says nothing about a nonce does not spend it; what does, spends it.
func TestWhatSpendsANonce(t *testing.T) {
	for status, spends := range map[int]bool{400: true, 404: true, 410: true, 422: true, 401: false, 403: false, 408: false, 425: false, 429: false, 500: false, 503: false} {
		synctest.Test(t, func(t *testing.T) {
			b := &sessiontest.Scripted{Session: sessiontest.Failure(status)}
			a := newBackend(Options{APIURL: "https://api.clerk.com", SecretKey: "sk_live_canary", HTTPClient: &http.Client{Transport: b}})
			for range 2 {
				if _, err := a.handshakePayload(t.Context(), "genuine", time.Now()); err == nil || strings.Contains(err.Error(), "genuine") {
					t.Errorf("%d: %v", status, err)
				}
				time.Sleep(calls.ShortestQuiet)
			}
			want := 2
			if spends {
				want = 1
			}
			b.ExpectCalls(t, want, fmt.Sprintf("for a nonce that Clerk answered %d", status))
		})
	}
}
