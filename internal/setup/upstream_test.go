package setup

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"

	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
)

// templates is a Clerk instance whose Backend API also makes tokens of JWT
// templates.
type templates struct {
	*clerktest.Instance
	url  string
	made atomic.Int32
	// refuse answers in place of a token.
	refuse atomic.Int32
}

// canary is in everything that has no business in logs, errors and answers.
const canary = "canary0123456789"

func startTemplates(t *testing.T) *templates {
	t.Helper()
	i := &templates{Instance: clerktest.Start(t, clerktest.Options{Live: true})}
	clerk, err := url.Parse(i.URL())
	if err != nil {
		t.Fatal(err)
	}
	mux := http.NewServeMux()
	mux.Handle("/", httputil.NewSingleHostReverseProxy(clerk))
	mux.HandleFunc("POST /v1/sessions/{id}/tokens/{template}", func(w http.ResponseWriter, r *http.Request) {
		i.made.Add(1)
		if status := int(i.refuse.Load()); status != 0 {
			w.WriteHeader(status)
			fmt.Fprintf(w, `{"errors":[{"code":"resource_not_found","message":%q}]}`, canary)
			return
		}
		claims := fmt.Sprintf(`{"sub":%q,"exp":%d,"made":%q}`, i.Users()[0].ID, time.Now().Add(time.Minute).Unix(), r.PathValue("template"))
		encode := base64.RawURLEncoding.EncodeToString
		fmt.Fprintf(w, `{"object":"token","jwt":"%s.%s.%s"}`, encode([]byte(`{"alg":"HS256"}`)), encode([]byte(claims)), canary)
	})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	i.url = server.URL
	return i
}

// documentOf is a document that uses every word about upstreams.
func (i *templates) documentOf(keyFile string) string {
	return fmt.Sprintf(`
clerk: {publishable_key: %s, secret_key: %s, api_url: %s}
upstream_token: {template: hasura, header: X-Hasura-Token}
strip_credentials: true
assertion: {audience: app, lifetime: 90s, algorithm: EdDSA, key_file: %s}
rules:
  - {name: graph, match: {path: /graph}, upstream_token: {template: graph}}
  - {name: own, match: {path: /own}, strip_credentials: false}
  - {name: open, match: {path: /open}, access: public}
`, i.PublishableKey(), i.SecretKey(), i.url, keyFile)
}

// writeKey writes a signing key to a file, and returns its text as well.
func writeKey(t *testing.T) (file, text string) {
	t.Helper()
	file = filepath.Join(t.TempDir(), "assertion.pem")
	text = clerktest.SigningKey(t)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return file, text
}

// sent are the headers of a signed-in browser.
func sent(token string) []policy.Header {
	return []policy.Header{{Name: "Cookie", Value: "theme=dark; __session=" + token + "; __client_uat=1"}, {Name: "X-Hasura-Token", Value: "forged"}}
}

func field(d *policy.Decision, name string) string {
	for _, h := range d.SetHeaders {
		if h.Name == name {
			return h.Value
		}
	}
	return ""
}

func TestUpstreamsReceiveTokensThatWereMadeForThem(t *testing.T) {
	t.Parallel()
	clerk := startTemplates(t)
	session, err := clerk.SignIn(clerk.Users()[0].ID)
	if err != nil {
		t.Fatal(err)
	}
	file, key := writeKey(t)
	config, _, err := Load("gate.yaml", []byte(clerk.documentOf(file)))
	if err != nil {
		t.Fatal(err)
	}
	var log bytes.Buffer
	gate, err := New(*config, Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
	if err != nil {
		t.Fatal(err)
	}
	defer gate.Close()
	token := clerk.Mint(session, clerktest.Token{})
	decide := func(target string) policy.Decision {
		return gate.Policy.Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: target, Headers: sent(token)})
	}
	for range 3 {
		for target, want := range map[string]struct{ header, prefix, template, cookie string }{
			"/":      {"X-Hasura-Token", "", "hasura", "theme=dark"},
			"/open":  {"X-Hasura-Token", "", "hasura", "theme=dark"},
			"/own":   {"X-Hasura-Token", "", "hasura", ""},
			"/graph": {"Authorization", "Bearer ", "graph", "theme=dark"},
		} {
			d := decide(target)
			got, _ := strings.CutPrefix(field(&d, want.header), want.prefix)
			parts := strings.Split(got, ".")
			if !d.Allowed() || len(parts) != 3 {
				t.Fatalf("%s: %s, %v", target, d.Reason, d.Cause)
			}
			if claims, _ := base64.RawURLEncoding.DecodeString(parts[1]); !strings.Contains(string(claims), `"made":"`+want.template+`"`) {
				t.Errorf("%s: claims %s", target, claims)
			}
			if got := field(&d, "Cookie"); got != want.cookie {
				t.Errorf("%s: cookies %q, want %q", target, got, want.cookie)
			}
			expectAssertion(t, gate, field(&d, "X-Clerkgate-Assertion"), session)
		}
	}
	if made := clerk.made.Load(); made != 2 {
		t.Errorf("%d tokens were made, want one of each template", made)
	}
	for _, secret := range []string{canary, token, strings.Split(key, "\n")[1], clerk.SecretKey()} {
		if strings.Contains(log.String(), secret) {
			t.Errorf("a secret is in the log:\n%s", log.String())
		}
	}
}

// expectAssertion verifies an assertion as an upstream does.
func expectAssertion(t *testing.T, gate *Gate, text string, session *clerktest.Session) {
	t.Helper()
	w := httptest.NewRecorder()
	gate.Upstream.Assertions.ServeHTTP(w, httptest.NewRequest(http.MethodGet, assertion.Path, nil))
	var keys jose.JSONWebKeySet
	if err := json.Unmarshal(w.Body.Bytes(), &keys); err != nil {
		t.Fatal(err)
	}
	token, err := jwt.ParseSigned(text, []jose.SignatureAlgorithm{jose.EdDSA})
	if err != nil {
		t.Fatal(err)
	}
	var claims jwt.Claims
	if err := token.Claims(keys, &claims); err != nil {
		t.Fatal(err)
	}
	want := jwt.Expected{Issuer: "clerkgate", Subject: session.User.ID, AnyAudience: jwt.Audience{"app"}, Time: time.Now()}
	if err := claims.Validate(want); err != nil {
		t.Error(err)
	}
	if claims.Expiry.Time().Sub(claims.IssuedAt.Time()) > time.Minute {
		t.Errorf("it counts from %s to %s, longer than the session's token", claims.IssuedAt.Time(), claims.Expiry.Time())
	}
}

func TestClerksRefusalsDoNotPassNorLeak(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		ended  bool
		want   policy.Reason
	}{
		"an outage":                 {503, false, policy.ReasonClerkUnavailable},
		"too many calls":            {429, false, policy.ReasonClerkUnavailable},
		"no such template":          {404, false, policy.ReasonClerkUnavailable},
		"the session's end":         {404, true, policy.ReasonSessionRevoked},
		"the end by another status": {422, true, policy.ReasonSessionRevoked},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			clerk := startTemplates(t)
			session, err := clerk.SignIn(clerk.Users()[0].ID)
			if err != nil {
				t.Fatal(err)
			}
			file, _ := writeKey(t)
			_, gate := gateOf(t, clerk.documentOf(file))
			token := clerk.Mint(session, clerktest.Token{})
			clerk.refuse.Store(int32(c.status))
			if c.ended {
				clerk.EndSession(session.ID)
			}
			d := gate.Policy.Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Headers: sent(token)})
			if d.Allowed() || d.Reason != c.want {
				t.Errorf("%s: %v", d.Reason, d.Cause)
			}
			if told := fmt.Sprint(d.Cause, d.SetHeaders, d.ResponseHeaders, string(d.Body)); strings.Contains(told, canary) || strings.Contains(told, token) || strings.Contains(told, clerk.SecretKey()) {
				t.Errorf("a secret gets out: %s", told)
			}
		})
	}
}

func TestErrorsOfUpstreamWordsNameTheLine(t *testing.T) {
	t.Parallel()
	bad := filepath.Join(t.TempDir(), "bad.pem")
	if err := os.WriteFile(bad, []byte("-----BEGIN PRIVATE KEY-----\n"+canary+"\n-----END PRIVATE KEY-----\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	head := "clerk: {publishable_key: " + publishableKey + "}\n"
	for name, c := range map[string]struct{ document, want string }{
		"no secret key":      {head + "upstream_token: {template: hasura}\n", "gate.yaml:2:17: upstream_token: upstream tokens require Clerk's Backend API (set clerk.secret_key"},
		"no template":        {head + "upstream_token: {header: X-T}\n", "gate.yaml:2:17: upstream_token.template"},
		"an unknown word":    {head + "assertion: {audiense: app}\n", `unknown key "audiense" (did you mean "audience"?)`},
		"a bad key":          {head + "assertion:\n  key_file: " + bad + "\n", "gate.yaml:3:13: assertion.key: key 1: the private key cannot be read"},
		"a bad key as text":  {head + "assertion: {key: " + canary + "}\n", "gate.yaml:2:18: assertion.key: there is no key in PEM form"},
		"nothing for a word": {head + "assertion:\n", "gate.yaml:2"},
		"no key at the file": {head + "assertion: {key_file: /nowhere/key.pem}\n", "gate.yaml:2:23"},
		"a life of a day":    {head + "assertion: {lifetime: 1d}\n", "gate.yaml:2:23: assertion.lifetime"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := Load("gate.yaml", []byte(c.document))
			if err == nil || !strings.Contains(err.Error(), c.want) {
				t.Fatalf("got %v\nwant %s", err, c.want)
			}
			if strings.Contains(err.Error(), canary) || strings.Contains(err.Error(), "nothing to sign") {
				t.Errorf("the error says too much: %v", err)
			}
		})
	}
}

func TestAnUpstreamOutlivesItsGate(t *testing.T) {
	t.Parallel()
	config := Config{Config: policy.Config{Assertion: &policy.Assertion{}}}
	config.Clerk.PublishableKey = publishableKey
	first, err := New(config, Options{})
	if err != nil {
		t.Fatal(err)
	}
	first.Close()
	second, err := New(config, Options{Upstream: first.Upstream})
	if err != nil {
		t.Fatal(err)
	}
	defer second.Close()
	if second.Upstream != first.Upstream {
		t.Error("the key that was made is lost")
	}
}

// Who loses a role has no more tokens of it: not of the upstream's either, also
// where the session's token says nothing of what changed.
func TestTheUpstreamsTokenFollowsAChange(t *testing.T) {
	t.Parallel()
	for _, kind := range []revocation.Entry{
		{Kind: revocation.Member, ID: "user_ada", Of: "org_acme", Effect: revocation.Stale},
		{Kind: revocation.User, ID: "user_ada", Effect: revocation.Stale},
		{Kind: revocation.Everybody, Effect: revocation.Stale},
	} {
		clerk := clerktest.Start(t, clerktest.Options{Live: true, Templates: map[string]clerktest.Template{"hasura": {Lifetime: time.Hour, Claims: map[string]any{"x-role": "admin"}}}})
		_, gate := gateOf(t, `
clerk: {publishable_key: `+clerk.PublishableKey()+`, secret_key: `+clerk.SecretKey()+`, api_url: `+clerk.URL()+`, webhook_secret: whsec_Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LTAx}
upstream_token: {template: hasura, header: X-Hasura-Token}
`)
		ada, err := clerk.SignIn("user_ada")
		if err != nil {
			t.Fatal(err)
		}
		ask := func(age time.Duration) policy.Reason {
			token := clerk.Mint(ada, clerktest.Token{Age: age})
			return gate.Policy.Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x", Headers: []policy.Header{{Name: "Authorization", Value: "Bearer " + token}}}).Reason
		}
		const made = "POST /v1/sessions/{id}/tokens/{template}"
		for range 3 {
			if reason := ask(5 * time.Second); reason != policy.ReasonAllowed || clerk.Calls(made) != 1 {
				t.Fatalf("before: %s, %d calls", reason, clerk.Calls(made))
			}
		}
		kind.At = time.Now().UnixMilli()
		if err := gate.Stores.Revocations.Revoke(t.Context(), kind); err != nil {
			t.Fatal(err)
		}
		if reason := ask(5 * time.Second); reason != policy.ReasonClaimsStale {
			t.Errorf("an old token: %s", reason)
		}
		time.Sleep(1100 * time.Millisecond)
		for range 3 {
			if reason := ask(0); reason != policy.ReasonAllowed || clerk.Calls(made) != 2 {
				t.Errorf("%s: after the change: %s, %d calls, want one more", kind.Kind, reason, clerk.Calls(made))
			}
		}
	}
}
