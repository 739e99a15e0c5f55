package session

import (
	"crypto/rsa"
	"encoding/base64"
	"fmt"
	"math/rand/v2"
	"net/http"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// Instances of one process share the cache of tokens. With the same key ids,
// session ids and users, and even with the same key, none takes a token of
// another, in whatever order and however often they come.
func TestInstancesDoNotTakeEachOthersTokens(t *testing.T) {
	t.Parallel()
	hosts := []string{"clerk.example.com", "clerk.other.org", "clerk.third.net"}
	keys := []*rsa.PrivateKey{mint.SigningKey(), mint.OtherKey(), mint.SigningKey()}
	cache := jwt.NewCache()
	type instance struct {
		*Authenticator
		good, expired []string
	}
	instances := make([]instance, len(hosts))
	for i, host := range hosts {
		backend := &sessiontest.Canned{Answers: []sessiontest.Answer{{
			Method: "GET", Path: "/v1/jwks", Status: http.StatusOK, Body: mint.KeySet(t, mint.JWK(mint.Kid, &keys[i].PublicKey)),
		}}}
		a, err := New(Config{
			PublishableKey: "pk_live_" + base64.RawStdEncoding.EncodeToString([]byte(host+"$")), SecretKey: fmt.Sprintf("sk_live_%d", i),
			AuthorizedParties: policy.StringList{"https://app.example.com"},
		}, Options{HTTPClient: &http.Client{Transport: backend}, Cache: cache})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(a.Close)
		instances[i].Authenticator = a
		for n := range 4 {
			claims := mint.With(mint.Claims(), object{"iss": "https://" + host, "sid": fmt.Sprintf("sess_%d", n)})
			instances[i].good = append(instances[i].good, mint.Signed(t, keys[i], mint.JSONSegment(t, mint.Header), mint.JSONSegment(t, claims)))
			claims["exp"] = now.Unix() - 60
			instances[i].expired = append(instances[i].expired, mint.Signed(t, keys[i], mint.JSONSegment(t, mint.Header), mint.JSONSegment(t, claims)))
		}
	}
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 0))
	signedInTimes := 0
	for step := range 3000 {
		of, by := random.IntN(len(hosts)), random.IntN(len(hosts))
		tokens, holds := instances[of].good, of == by
		if random.IntN(4) == 0 {
			tokens, holds = instances[of].expired, false
		}
		token := tokens[random.IntN(len(tokens))]
		r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Headers: sessiontest.Fields("Authorization", "Bearer "+token)}
		if random.IntN(2) == 0 {
			r.Headers = sessiontest.Fields("Cookie", signedInCookies(token))
		}
		got := instances[by].Authenticate(t.Context(), r, sessionsOnly, now)
		if (got.Status == policy.SignedIn) != holds || holds && got.Principal.Claims["iss"] != "https://"+hosts[by] {
			t.Fatalf("seed %d, step %d: a token of %s at %s: %+v", seed, step, hosts[of], hosts[by], got)
		}
		if holds {
			signedInTimes++
		}
	}
	if signedInTimes < 300 {
		t.Errorf("seed %d: signed in %d times", seed, signedInTimes)
	}
}
