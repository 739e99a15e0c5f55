package extauthz

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"

	"google.golang.org/protobuf/encoding/protojson"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

// minter makes tokens and assertions that are easy to find.
type minter struct{}

func (minter) Token(context.Context, *policy.Principal, string, time.Time) (string, policy.Reason, error) {
	return "canary-token", "", nil
}

func (minter) Assertion(*policy.Principal, time.Time) (string, error) { return "canary-assertion", nil }

// What is made for the upstream is in the upstream's fields, and neither in the
// log nor in the metadata, which access logs print.
func TestMintedTokensReachNobodyElse(t *testing.T) {
	t.Parallel()
	config := policy.Config{UpstreamToken: &policy.UpstreamToken{Template: "hasura", Header: "X-Hasura-Token"}, Assertion: &policy.Assertion{}, StripCredentials: true}
	p, err := policy.New(config, policy.Deps{Authenticator: bearers{"canary-users-own": signedIn("user_1")}, Tokens: minter{}, Assertions: minter{}, Now: func() time.Time { return now }})
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	s := newServer(t, p, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/",
		Headers: []policy.Header{{Name: "authorization", Value: "Bearer canary-users-own"}, {Name: "cookie", Value: "a=1; __session=canary-users-own"}}}
	response, err := dial(t, s).Check(t.Context(), checkOf(r, encodeRaw))
	if err != nil {
		t.Fatal(err)
	}
	for _, release := range releases {
		upstream := release.upstream(r.Headers, response.GetOkResponse())
		for name, want := range map[string]string{"X-Hasura-Token": "canary-token", "X-Clerkgate-Assertion": "canary-assertion", "Authorization": "", "Cookie": "a=1"} {
			corpus.CheckField(t, "upstream of "+release.name, name, upstream.Values(name), want)
		}
	}
	if log.Len() == 0 {
		t.Error("nothing was logged")
	}
	if told := log.String() + protojson.Format(response.GetDynamicMetadata()); strings.Contains(told, "canary") {
		t.Errorf("told: %s", told)
	}
}
