package session

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/netip"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	sessions "github.com/clerk/clerk-sdk-go/v2/session"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/clerkapi"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/machine"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// slowClerk knows two API keys, makes template tokens and has keys; it takes its
// time for everything else, of which it knows nothing.
type slowClerk struct {
	keys, good, template []byte
	delay                time.Duration

	mu    sync.Mutex
	asked map[string]int // by path
	under int
	most  int
}

const anAPIKey, anotherAPIKey = "ak_aGoodKey", "ak_anotherGoodKey"

func newSlowClerk(t *testing.T, delay time.Duration) *slowClerk {
	t.Helper()
	return &slowClerk{
		keys:     mint.KeySet(t, mint.JWK(mint.Kid, &mint.SigningKey().PublicKey)),
		good:     sessiontest.APIAnswer(t, policy.APIKey, nil),
		template: []byte(sessiontest.Made(mint.Template(t, time.Date(2100, 1, 1, 0, 0, 0, 0, time.UTC), nil)).Body),
		delay:    delay, asked: map[string]int{},
	}
}

// underWay is how many calls it has not answered.
func (c *slowClerk) underWay() int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.under
}

func (c *slowClerk) RoundTrip(r *http.Request) (*http.Response, error) {
	path := strings.Trim(r.URL.Path, "/")
	c.mu.Lock()
	c.asked[path]++
	c.under++
	c.most = max(c.most, c.under)
	c.mu.Unlock()
	defer func() { c.mu.Lock(); c.under--; c.mu.Unlock() }()
	status, answer := c.answer(r, path)
	if status == http.StatusNotFound {
		select {
		case <-time.After(c.delay):
		case <-r.Context().Done():
			return nil, r.Context().Err()
		}
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(bytes.NewReader(answer)), Request: r}, nil
}

func (c *slowClerk) answer(r *http.Request, path string) (int, []byte) {
	switch {
	case path == "v1/jwks":
		return http.StatusOK, c.keys
	case strings.HasSuffix(path, "/tokens/hasura"):
		return http.StatusOK, c.template
	case path == "api_keys/verify":
		var asked struct {
			Secret string `json:"secret"`
		}
		if json.NewDecoder(r.Body).Decode(&asked) == nil && (asked.Secret == anAPIKey || asked.Secret == anotherAPIKey) {
			return http.StatusOK, c.good
		}
	}
	return http.StatusNotFound, []byte(`{"errors":[{"code":"resource_not_found"}]}`)
}

// calls returns how often Clerk was asked at a path since the last time.
func (c *slowClerk) calls(path string) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	n := c.asked[path]
	c.asked[path] = 0
	return n
}

// edge is all of this package that calls Clerk, over one client.
type edge struct {
	*Authenticator
	tokens   *clerkapi.Tokens
	sessions *clerkapi.Sessions
	page     *sessions.Client
}

func newEdge(t *testing.T, clerk http.RoundTripper) *edge {
	t.Helper()
	cfg := Config{PublishableKey: mint.PublishableKey, SecretKey: "sk_live_x", AuthorizedParties: policy.StringList{"https://app.example.com"}}
	client := Client(cfg, &http.Client{Transport: clerk})
	a, err := New(cfg, Options{HTTPClient: client})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(a.Close)
	e := &edge{Authenticator: a}
	if e.tokens, err = NewTokens(cfg, client); err != nil {
		t.Fatal(err)
	}
	if e.sessions, err = NewSessions(cfg, client); err != nil {
		t.Fatal(err)
	}
	if e.page, err = PageClient(cfg, client); err != nil {
		t.Fatal(err)
	}
	return e
}

// Whatever strangers send, and from wherever: it costs a number of calls that is
// known, and nobody who is signed in waits for any of it.
func TestWhatStrangersSendCostsFewCallsAndDelaysNobody(t *testing.T) {
	const requests = 10_000
	flood := func(kind string, i int, expired string) *policy.Request {
		switch kind {
		case "nonce":
			return sessiontest.Navigation("/", fmt.Sprintf("%s; __clerk_handshake_nonce=n%d", sessiontest.Sent, i))
		case "refresh":
			return sessiontest.Navigation("/", fmt.Sprintf("__client_uat=1; __session=%s; __refresh_%s=r%d", expired, mint.Suffix, i))
		}
		return &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Headers: sessiontest.Fields("Authorization", fmt.Sprintf("Bearer %s%d", kind, i))}
	}
	paths := map[string]string{
		"nonce": "v1/clients/handshake_payload", "refresh": "v1/sessions/sess_2session/refresh",
		"ak_": "api_keys/verify", "mt_": "m2m_tokens/verify", "oat_": "oauth_applications/access_tokens/verify",
	}
	sources := map[string]struct {
		from func(i int) netip.Addr
		most int // calls in the first second
	}{
		"one address": {func(int) netip.Addr { return netip.MustParseAddr("192.0.2.7") }, calls.BurstOfOne + 1},
		"one network": {func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 14: byte(i >> 8), 15: byte(i)})
		}, calls.BurstOfOne + 1},
		"many": {func(i int) netip.Addr {
			return netip.AddrFrom16([16]byte{0x20, 1, 0xd, 0xb8, 6: byte(i >> 8), 7: byte(i)})
		}, calls.BurstOfAll + 10},
	}
	for kind, path := range paths {
		for source, from := range sources {
			if source == "one network" && kind != "nonce" {
				continue
			}
			t.Run(kind+" from "+source, func(t *testing.T) {
				t.Parallel()
				clerk := newSlowClerk(t, 20*time.Millisecond)
				synctest.Test(t, func(t *testing.T) {
					e := newEdge(t, clerk)
					now := time.Now()
					claims := object{"iat": now.Unix(), "nbf": now.Unix() - 10, "exp": now.Unix() + 3600}
					token, expired := mint.Token(t, claims), mint.Token(t, mint.With(claims, object{"iat": now.Unix() - 120, "exp": now.Unix() - 60}))
					ask := func(r *policy.Request) policy.AuthState {
						return e.Authenticate(t.Context(), r, policy.TokenTypes{policy.AnyToken}, time.Now())
					}
					if got := ask(flood(anAPIKey, 0, "")); got.Status == policy.SignedIn { // not that one
						t.Fatal("a key is taken that there is not")
					}
					known := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Headers: sessiontest.Fields("Authorization", "Bearer "+anAPIKey)}
					if got := ask(known); got.Status != policy.SignedIn {
						t.Fatalf("%+v", got)
					}
					time.Sleep(machine.OpaqueTTL)
					clerk.calls(path)
					began := time.Now()
					var waiting sync.WaitGroup
					for i := range requests {
						r := flood(kind, i, expired)
						r.Client = from.from(i)
						waiting.Go(func() {
							time.Sleep(time.Duration(i) * time.Second / requests)
							if got := ask(r); got.Status == policy.SignedIn {
								t.Errorf("request %d is signed in", i)
							}
						})
					}
					time.Sleep(500 * time.Millisecond) // in the middle of it
					middle := time.Now()
					if got := ask(known); got.Status != policy.SignedIn {
						t.Errorf("a key that Clerk knows: %+v", got)
					}
					if got := ask(sessiontest.Navigation("/", "__client_uat=1; __session="+token)); got.Status != policy.SignedIn {
						t.Errorf("a session: %v for %s", got.Status, got.Reason)
					}
					if _, reason, err := e.tokens.Token(t.Context(), user, "hasura", time.Now()); reason != "" {
						t.Errorf("a token for the upstream: %s, %v", reason, err)
					}
					if waited := time.Since(middle); waited != 0 {
						t.Errorf("those who are signed in waited for %s", waited)
					}
					waiting.Wait()
					if kind == "ak_" {
						from.most++ // the one that is known
					}
					if n := clerk.calls(path); n == 0 || n > from.most {
						t.Errorf("%d calls for %d requests in %s, want at most %d", n, requests, time.Since(began), from.most)
					}
				})
			})
		}
	}
}

// Clerk that hangs is waited for by few, and those who are known have slots of
// their own.
func TestCallsThatHangHoldUpNobodyElse(t *testing.T) {
	clerk := newSlowClerk(t, time.Hour)
	synctest.Test(t, func(t *testing.T) {
		e := newEdge(t, clerk)
		began := time.Now()
		var waiting sync.WaitGroup
		for range 10 * calls.MaxPage {
			waiting.Go(func() {
				if _, err := e.page.List(t.Context(), new(sessions.ListParams)); err == nil {
					t.Error("sessions are listed")
				}
			})
		}
		for i := range 10 * calls.MaxStrangers {
			for _, kind := range []string{"ak_", "mt_", "oat_"} {
				r := &policy.Request{Method: "GET", Headers: sessiontest.Fields("Authorization", fmt.Sprintf("Bearer %s%d", kind, i)), Client: netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)})}
				waiting.Go(func() {
					if got := e.Authenticate(t.Context(), r, policy.TokenTypes{policy.AnyToken}, began); got.Status != policy.Unavailable || got.Reason != policy.ReasonClerkUnavailable {
						t.Errorf("%+v", got)
					}
				})
			}
		}
		time.Sleep(time.Second)
		if n := clerk.underWay(); n != 3*calls.MaxStrangers+calls.MaxPage {
			t.Errorf("%d calls are under way, want %d", n, 3*calls.MaxStrangers+calls.MaxPage)
		}
		if _, reason, err := e.tokens.Token(t.Context(), user, "hasura", time.Now()); reason != "" || time.Since(began) != time.Second {
			t.Errorf("a token for the upstream: %s, %v, after %s", reason, err, time.Since(began))
		}
		waiting.Wait()
		if took := time.Since(began); took != calls.Timeout {
			t.Errorf("it took %s", took)
		}
	})
}

// After failures in a row nothing is asked for a while, and then once to try.
func TestAClerkThatFailsIsAskedSeldom(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &sessiontest.Scripted{}
		b.AnswerWith(sessiontest.Failure(http.StatusBadGateway), 0)
		tokens, err := NewTokens(Config{SecretKey: "sk_live_canary"}, &http.Client{Transport: b})
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		ask := func() policy.Reason {
			n++
			p := &policy.Principal{UserID: "user_a", SessionID: fmt.Sprintf("sess_%d", n)}
			_, reason, _ := tokens.Token(t.Context(), p, "hasura", time.Now())
			return reason
		}
		for range 100 {
			ask()
		}
		b.ExpectCalls(t, calls.MaxFailures, "for a hundred")
		for _, rest := range []time.Duration{calls.FirstRest, 2 * calls.FirstRest, 4 * calls.FirstRest, calls.LongestRest, calls.LongestRest} {
			time.Sleep(rest - 1)
			ask()
			b.ExpectCalls(t, 0, "before the rest is over")
			time.Sleep(time.Nanosecond)
			ask()
			ask()
			b.ExpectCalls(t, 1, "after the rest")
		}
		b.Make(mint.Template(t, time.Now().Add(time.Hour), nil), 0)
		time.Sleep(calls.LongestRest)
		for range 10 {
			if reason := ask(); reason != "" {
				t.Errorf("Clerk is well again: %s", reason)
			}
		}
	})
}

// One who wants to be left alone is, whoever was told.
func TestRetryAfterIsForAllCalls(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		busy := &busyClerk{after: "20"}
		e := newEdge(t, busy)
		r := sessiontest.Navigation("/", sessiontest.Sent+"; __clerk_handshake_nonce=genuine")
		load := func() policy.AuthState { return e.Authenticate(t.Context(), r, sessionsOnly, time.Now()) }
		if got := load(); got.Status != policy.Unavailable || got.Reason != policy.ReasonClerkUnavailable {
			t.Errorf("%+v", got)
		}
		time.Sleep(20*time.Second - 1)
		load()
		if _, reason, _ := e.tokens.Token(t.Context(), user, "hasura", time.Now()); reason != policy.ReasonClerkUnavailable {
			t.Errorf("a token for the upstream: %s", reason)
		}
		if _, err := e.sessions.CreatedAt(t.Context(), "sess_a"); err == nil {
			t.Error("a session was looked up")
		}
		if _, err := e.page.List(t.Context(), new(sessions.ListParams)); err == nil {
			t.Error("sessions are listed")
		}
		if got := e.Authenticate(t.Context(), &policy.Request{Headers: sessiontest.Fields("Authorization", "Bearer ak_a")}, policy.TokenTypes{policy.AnyToken}, time.Now()); got.Reason != policy.ReasonClerkUnavailable {
			t.Errorf("an API key: %+v", got)
		}
		if busy.n != 1 {
			t.Errorf("%d calls, want the one that was told to wait", busy.n)
		}
		time.Sleep(time.Nanosecond)
		load()
		if busy.n != 2 {
			t.Errorf("the nonce that Clerk had no time for is not asked about again: %d calls", busy.n)
		}
	})
}

// busyClerk has no time.
type busyClerk struct {
	n     int
	after string
}

func (b *busyClerk) RoundTrip(r *http.Request) (*http.Response, error) {
	b.n++
	return &http.Response{StatusCode: http.StatusTooManyRequests, Header: http.Header{"Retry-After": {b.after}}, Body: http.NoBody, Request: r}, nil
}

// All who have the secret key of an instance share its bounds.
func TestOneClientForAnInstance(t *testing.T) {
	t.Parallel()
	cfg := Config{PublishableKey: mint.PublishableKey, SecretKey: "sk_live_shared"}
	client := Client(cfg, nil)
	other := Config{PublishableKey: mint.PublishableKey, SecretKey: "sk_live_other"}
	if Client(cfg, nil) != client || Client(cfg, client) != client || Client(other, nil) == client {
		t.Error("clients are shared by those who have nothing in common, or not by those who do")
	}
	if base := new(http.Client); Client(cfg, base) == base || Client(cfg, base) == client {
		t.Error("a client of the caller's own is not bounded, or not its own")
	}
}

// user is somebody whose template token is asked for.
var user = &policy.Principal{TokenType: policy.SessionToken, UserID: "user_a", SessionID: "sess_a", OrgID: "org_a"}
