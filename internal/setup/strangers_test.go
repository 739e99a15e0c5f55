package setup

import (
	"bytes"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// Whoever asks with ever new values of a header that a limit counts by fills
// nothing: the store has room for what has ended, although it is small and forgets
// nothing by itself.
func TestStrangersLeaveRoomForWhatHasEnded(t *testing.T) {
	t.Parallel()
	const secret = "whsec_c2VjdXJpdHktdGVzdC1zZWNyZXQtMTIzNDU2Nzg="
	server := testredis.Start(t, "--maxmemory", "6mb", "--maxmemory-policy", "noeviction")
	config, gate := gateOf(t, `
clerk: {publishable_key: `+publishableKey+`, secret_key: sk_live_0123456789abcdefghij0123456789abcdefghij01, webhook_secret: "`+secret+`"}
redis: {addresses: "`+server.Addr+`", budget: 20s}
limits: {per-key: {limit: 100, window: 1h, key: "header:X-Api-Key", on_store_error: deny}}
rules: [{name: home, match: {path: /}, access: public, limits: per-key}]
`)
	receiver, err := gate.Stores.Receiver(config)
	if err != nil {
		t.Fatal(err)
	}
	const values = 40_000 // of 190 bytes each, were they kept
	decide := func(i int) policy.Decision {
		return gate.Policy.Decide(t.Context(), &policy.Request{
			Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Peer: netip.MustParseAddr("192.0.2.1"),
			Headers: []policy.Header{{Name: "X-Api-Key", Value: fmt.Sprint("key-", i)}},
		})
	}
	done := make(chan struct{}, 16)
	for w := range cap(done) {
		go func() {
			for i := w; i < values; i += cap(done) {
				if d := decide(i); d.Reason != policy.ReasonAllowed && d.Reason != policy.ReasonRateLimited && d.Reason != policy.ReasonPublic {
					t.Errorf("value %d: %s: %v", i, d.Reason, d.Cause)
					break
				}
			}
			done <- struct{}{}
		}()
	}
	for range cap(done) {
		<-done
	}
	body := fmt.Appendf(nil, `{"object":"event","type":"session.revoked","timestamp":%d,"data":{"id":"sess_1","user_id":"user_1","status":"revoked"}}`, time.Now().UnixMilli())
	r := httptest.NewRequest(http.MethodPost, "/webhooks/clerk", bytes.NewReader(body))
	r.Header = clerktest.SignWebhook(secret, "msg_1", time.Now(), body)
	w := httptest.NewRecorder()
	receiver.ServeHTTP(w, r)
	if w.Code != http.StatusNoContent {
		t.Errorf("what ended is answered %d: %s", w.Code, w.Body)
	}
	t.Logf("%v keys, %v", server.Do(t, "DBSIZE"), gate.Stores.Shared.Stats())
}
