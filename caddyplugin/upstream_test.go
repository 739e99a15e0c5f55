package caddyplugin

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

// canary makes tokens and assertions that are easy to find.
type canary struct{}

func (canary) Token(context.Context, *policy.Principal, string, time.Time) (string, policy.Reason, error) {
	return "canary-token", "", nil
}

func (canary) Assertion(*policy.Principal, time.Time) (string, error) { return "canary-assertion", nil }

// What is made for the upstream is for the upstream alone.
func TestMintedTokensReachNobodyElse(t *testing.T) {
	t.Parallel()
	config := testRules
	config.UpstreamToken, config.Assertion, config.StripCredentials = &policy.UpstreamToken{Template: "hasura"}, &policy.Assertion{}, true
	p, err := policy.New(config, policy.Deps{Authenticator: as("org:admin"), Limiter: someone{}, Tokens: canary{}, Assertions: canary{}, Now: func() time.Time { return corpus.Now }})
	if err != nil {
		t.Fatal(err)
	}
	h := handlerOf(p)
	core, logs := observer.New(zapcore.DebugLevel)
	h.logTo(core)
	r := get(t, "/admin")
	r.Header.Set("Authorization", "Bearer canary-users-own")
	r.Header.Set("Cookie", "__session=canary-users-own; a=1")
	o := serve(h, r)
	if got := o.upstream.Header; got.Get("Authorization") != "Bearer canary-token" || got.Get("X-Clerkgate-Assertion") != "canary-assertion" || got.Get("Cookie") != "a=1" {
		t.Errorf("upstream fields %v", got)
	}
	if logs.Len() == 0 {
		t.Error("nothing was logged")
	}
	told := fmt.Sprint(o.Header(), o.Body.String(), o.err)
	for _, entry := range logs.All() {
		told += fmt.Sprint(entry.Message, entry.ContextMap())
	}
	for _, name := range []string{"http.auth.user.id", "http.clerk.reason", "http.clerk.claims.sub", "http.clerk.claims"} {
		told += o.placeholder(name)
	}
	if strings.Contains(told, "canary") {
		t.Errorf("told: %s", told)
	}
}

// Upstreams keep the keys they have fetched: a reload must not change one that
// was made, and another configuration has another.
func TestAReloadKeepsTheSigningKey(t *testing.T) {
	t.Parallel()
	clerk := instanceJSON(t)
	provision := func(words string) *Handler {
		h, err := provisioned(t, `{"clerk": `+clerk+`, "assertion": {`+words+`}}`)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Cleanup() })
		return h
	}
	before, after, other := provision(""), provision(""), provision(`"audience": "app"`)
	if before.gate.Upstream != after.gate.Upstream || before.gate.Upstream == other.gate.Upstream {
		t.Error("the key was made anew by a reload, or is that of another configuration")
	}
	r := get(t, "/")
	if o := serve(after, r); o.Code != http.StatusUnauthorized {
		t.Errorf("status %d", o.Code)
	}
}

func TestABadSigningKeyIsRefusedWithoutShowingIt(t *testing.T) {
	t.Parallel()
	_, err := provisioned(t, `{"clerk": `+instanceJSON(t)+`, "assertion": {"key": "canary"}}`)
	if err == nil || !strings.Contains(err.Error(), "assertion.key: there is no key in PEM form") || strings.Contains(err.Error(), "canary") {
		t.Errorf("got %v", err)
	}
}

// The key may come from a file, as every value may.
func TestTheSigningKeyIsReadFromAFile(t *testing.T) {
	t.Parallel()
	file := filepath.Join(t.TempDir(), "assertion.pem")
	if err := os.WriteFile(file, []byte(clerktest.SigningKey(t)), 0o600); err != nil {
		t.Fatal(err)
	}
	h, err := provisioned(t, `{"clerk": `+instanceJSON(t)+`, "assertion": {"algorithm": "EdDSA", "key": "{file.`+file+`}"}}`)
	if err != nil {
		t.Fatal(err)
	}
	if err := h.Cleanup(); err != nil {
		t.Error(err)
	}
}
