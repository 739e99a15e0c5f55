package session

import "testing"

func TestTheBackendAPINeedsTheSecretKey(t *testing.T) {
	t.Parallel()
	for _, cfg := range []Config{{}, {SecretKey: "sk_live_x", APIURL: "http://api.example.com"}} {
		if _, err := NewSessions(cfg, nil); err == nil {
			t.Errorf("%+v: sessions", cfg)
		}
		if _, err := NewTokens(cfg, nil); err == nil {
			t.Errorf("%+v: tokens", cfg)
		}
		if _, err := PageClient(cfg, nil); err == nil {
			t.Errorf("%+v: a page", cfg)
		}
	}
}
