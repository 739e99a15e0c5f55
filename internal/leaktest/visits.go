package leaktest

import (
	"bytes"
	"crypto/rand"
	"io"
	"net/http"
	"net/url"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

// Said is the body of what a server answers.
func Said(tb testing.TB, r *http.Request) string {
	tb.Helper()
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		tb.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

// Visit is a request of somebody who holds secrets, or made some up.
type Visit struct {
	Name, Method, Target string
	Headers              []policy.Header
	Body                 string
}

// Visits are requests of all kinds to a site, which add the secrets that they hold
// to those that nobody may say. Webhooks are signed by a secret and go to a path.
func (s Secrets) Visits(tb testing.TB, clerk *clerktest.Instance, webhookSecret, webhookPath string) []Visit {
	tb.Helper()
	ada, err := clerk.SignIn("user_ada")
	if err != nil {
		tb.Fatal(err)
	}
	max, err := clerk.SignIn("user_max")
	if err != nil {
		tb.Fatal(err)
	}
	hold := func(name, secret string) string {
		s[name] = secret
		return secret
	}
	signed := func(name, token string) string {
		s[name] = Signature(token)
		return token
	}
	token := signed("a session token", clerk.Mint(ada, clerktest.Token{}))
	expired := signed("an expired token", clerk.Mint(ada, clerktest.Token{Age: time.Hour}))
	forged := signed("a forged token", clerk.Mint(ada, clerktest.Token{Stranger: true}))
	member := signed("a member's token", clerk.Mint(max, clerktest.Token{}))
	answer := signed("a handshake's answer", clerk.MintHandshake([]string{"__session=" + token + "; Path=/"}, clerktest.Token{}))
	browser := hold("a dev browser", "dvb_"+rand.Text())
	key := hold("an API key", clerk.CreateAPIKey(clerktest.Machine{Subject: "user_ada", Name: "x"}))
	made := hold("an API key that is none", "ak_"+rand.Text())
	oauth := hold("an OAuth token", clerk.CreateOAuthToken(clerktest.Machine{Subject: "user_ada", ClientID: "x"}))
	m2m := hold("a machine token", clerk.CreateM2MToken(clerktest.Machine{Subject: "mch_a", Scopes: []string{"mch_b"}}))
	nonce := hold("a nonce", rand.Text())
	ticket := hold("a ticket", rand.Text())
	page := func(name, target, cookie string, more ...policy.Header) Visit {
		return Visit{Name: name, Method: http.MethodGet, Target: target, Headers: append([]policy.Header{{Name: "Accept", Value: "text/html"}, {Name: "Sec-Fetch-Dest", Value: "document"}, {Name: "Cookie", Value: cookie}}, more...)}
	}
	bearer := func(name, token string) Visit {
		return Visit{Name: "by " + name, Method: http.MethodPost, Target: "/api/x", Headers: []policy.Header{{Name: "Authorization", Value: "Bearer " + token}, {Name: "Accept", Value: "application/json"}}}
	}
	in := func(token string) string {
		return "__client_uat=1; __clerk_db_jwt=" + browser + "; __session=" + token
	}
	visits := []Visit{
		page("signed in", "/", in(token)), page("as a member, where an admin may", "/admin", in(member)), page("signed out", "/", "__clerk_db_jwt="+browser), page("with an expired token", "/?a=b", in(expired)), page("with a forged token", "/", in(forged)),
		page("with a refresh token", "/", in(expired)+"; __refresh="+hold("a refresh token", "rt_"+rand.Text())), page("with two sessions", "/", in(token)+"; __session="+member), page("with garbage", "/", in(hold("garbage", "eyJ"+rand.Text()+"."+rand.Text()+".x"))),
		page("with a handshake's answer", "/?__clerk_handshake="+answer, in(expired)), page("with a handshake's cookie", "/", in(expired)+"; __clerk_handshake="+answer), page("with a nonce", "/?__clerk_handshake_nonce="+nonce, in(expired)), page("with a ticket", "/?__clerk_ticket="+ticket, in(token)),
		page("with a dev browser in the address", "/?__clerk_db_jwt="+browser, ""), page("from a page with a ticket", "/", in(token), policy.Header{Name: "Referer", Value: "https://x.example/?__clerk_ticket=" + ticket}),
		page("to an upstream that fails", "/broken?__clerk_ticket="+ticket, in(token)), page("to a malformed address", "/%zz?__clerk_handshake="+answer, in(token)), page("to the sessions", "/__clerkgate/sessions", in(token)), page("to the sessions, expired", "/__clerkgate/sessions", in(expired)),
		page("to Clerk, by the proxy", "/__clerk/v1/client?__clerk_db_jwt="+browser, in(token)), page("on a public page", "/public?__clerk_handshake="+answer, in(expired)),
		bearer("a session token", token), bearer("an expired token", expired), bearer("a forged token", forged), bearer("an API key", key), bearer("an API key that is none", made), bearer("an OAuth token", oauth), bearer("a machine token", m2m),
		{Name: "two credentials", Method: http.MethodGet, Target: "/api/x", Headers: []policy.Header{{Name: "Authorization", Value: "Bearer " + key}, {Name: "Authorization", Value: "Bearer " + token}}},
		{Name: "a credential of another kind", Method: http.MethodGet, Target: "/api/x", Headers: []policy.Header{{Name: "Authorization", Value: "Basic " + hold("a password", rand.Text())}}},
		{Name: "traced", Method: "TRACE", Target: "/", Headers: []policy.Header{{Name: "Cookie", Value: in(token)}}},
		{Name: "signing out", Method: http.MethodPost, Target: "/__clerkgate/sessions/everywhere", Headers: []policy.Header{{Name: "Cookie", Value: in(member)}, {Name: "Sec-Fetch-Site", Value: "same-origin"}}},
	}
	body := string(clerk.Event("session.revoked", map[string]any{"id": max.ID}))
	for name, secret := range map[string]string{"a webhook": webhookSecret, "a forged webhook": clerktest.NewWebhookSecret()} {
		v := Visit{Name: name, Method: http.MethodPost, Target: webhookPath, Body: body}
		for field, values := range clerktest.SignWebhook(secret, "msg_"+rand.Text(), time.Now(), []byte(body)) {
			v.Headers = append(v.Headers, policy.Header{Name: field, Value: values[0]})
		}
		visits = append(visits, v)
	}
	return visits
}

// Send makes a visit to an address, without following redirects, and returns the
// answer's status, its Location and its body.
func (v *Visit) Send(tb testing.TB, address, host string) (status int, location, body string) {
	tb.Helper()
	r, err := http.NewRequestWithContext(tb.Context(), v.Method, "http://"+address, bytes.NewReader([]byte(v.Body)))
	if err != nil {
		tb.Fatal(err)
	}
	r.URL = &url.URL{Scheme: "http", Host: address, Opaque: v.Target} // as it is
	r.Host = host
	for _, h := range v.Headers {
		r.Header.Add(h.Name, h.Value)
	}
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		tb.Fatalf("%s: %v", v.Name, err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		tb.Fatalf("%s: %v", v.Name, err)
	}
	return response.StatusCode, response.Header.Get("Location"), string(text)
}
