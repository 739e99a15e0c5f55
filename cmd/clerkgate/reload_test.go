package main

import (
	"bytes"
	"crypto/rand"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
)

// asCommand in the environment makes the test program the command itself.
const asCommand = "CLERKGATE_TEST_AS_COMMAND"

func TestMain(m *testing.M) {
	if os.Getenv(asCommand) != "" {
		main()
		return
	}
	os.Exit(m.Run())
}

// process runs the command line as a process of its own.
func process(t *testing.T, args ...string) *testprocess.Process {
	t.Helper()
	cmd := exec.Command(os.Args[0], args...)
	cmd.Env = append(os.Environ(), asCommand+"=1")
	return testprocess.Start(t, "clerkgate", cmd)
}

// served is a process that answers checks and webhooks by a document.
type served struct {
	*testprocess.Process
	clerk            *clerktest.Instance
	path, grpc, http string
}

const (
	oldSecret = "whsec_b2xkLXdlYmhvb2stc2VjcmV0LWxlYWtlZA=="
	newSecret = "whsec_bmV3LXdlYmhvb2stc2VjcmV0LWluLXRpbWU="
)

func startServed(t *testing.T, clerk *clerktest.Instance, document string) *served {
	t.Helper()
	s := &served{clerk: clerk, path: filepath.Join(t.TempDir(), "clerkgate.yaml"), grpc: testprocess.Address(t), http: testprocess.Address(t)}
	write(t, s.path, document)
	s.Process = process(t, "serve", "--config", s.path, "--grpc", s.grpc, "--http", s.http, "--admin", "", "--drain", "1ms", "--log-text", "--watch", "0")
	s.AwaitListening(t, s.grpc, s.http)
	eventually(t, func() bool { return strings.Contains(s.Log.String(), "msg=serving") })
	return s
}

// reload writes the document, sends the signal, and reports whether it was taken.
func (s *served) reload(t *testing.T, document string) bool {
	t.Helper()
	write(t, s.path, document)
	seen := len(s.Log.String())
	s.Signal(syscall.SIGHUP)
	taken := false
	eventually(t, func() bool {
		log := s.Log.String()[seen:]
		taken = strings.Contains(log, "msg=reloaded")
		return taken || strings.Contains(log, "stays in force")
	})
	return taken
}

// allows reports whether a token of the session passes.
func (s *served) allows(t *testing.T, session *clerktest.Session) bool {
	t.Helper()
	answer, err := extauthz.Ask(t.Context(), s.grpc, &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/",
		Headers: []policy.Header{{Name: "Authorization", Value: "Bearer " + s.clerk.Mint(session, clerktest.Token{})}}})
	if err != nil {
		t.Fatal(err)
	}
	return answer.Allowed
}

// ended delivers the end of a session, signed by a secret.
func (s *served) ended(t *testing.T, session *clerktest.Session, secret string) (status int) {
	t.Helper()
	body := s.clerk.Event("session.revoked", map[string]any{"id": session.ID})
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, "http://"+s.http+revocation.Path, bytes.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	r.Header = clerktest.SignWebhook(secret, "msg_"+rand.Text(), time.Now(), body)
	response, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	return response.StatusCode
}

// A reload takes all of a document or nothing: whatever is wrong with it, webhooks
// go on to end sessions by the secret of before, and only by that. What a reload
// refuses, validate refuses as well.
func TestAReloadIsWholeOrNothing(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{Origins: []string{"https://app.example.com"}})
	key, err := json.Marshal(clerk.PublicKeyPEM())
	if err != nil {
		t.Fatal(err)
	}
	// Everything is other than before, and one thing is wrong.
	documentOf := func(secretKey, webhookSecret, clerkRest, rest string) string {
		return fmt.Sprintf("clerk:\n  publishable_key: %s\n  jwt_key: %s\n  webhook_secret: %s\n", clerk.PublishableKey(), key, webhookSecret) +
			secretKey + clerkRest + rest
	}
	withKey := "  secret_key: " + clerk.SecretKey() + "\n"
	s := startServed(t, clerk, documentOf(withKey, oldSecret, "", ""))
	signIn := func() *clerktest.Session {
		session, err := clerk.SignIn("user_ada")
		if err != nil {
			t.Fatal(err)
		}
		if !s.allows(t, session) {
			t.Fatal("a session does not pass")
		}
		return session
	}
	expectEnds := func(t *testing.T, right, wrong string) {
		t.Helper()
		session := signIn()
		if status := s.ended(t, session, wrong); status != http.StatusBadRequest || !s.allows(t, session) {
			t.Errorf("a delivery by the wrong secret is answered %d, and the session passes: %v", status, s.allows(t, session))
		}
		if status := s.ended(t, session, right); status != http.StatusNoContent || s.allows(t, session) {
			t.Errorf("a delivery is answered %d, and the session passes: %v", status, s.allows(t, session))
		}
	}
	changed := "revocation: {max_entries: 5000, max_token_lifetime: 2h}\nassertion: {audience: app}\n"
	for name, bad := range map[string]string{
		"a proxy of no known site":     documentOf(withKey, newSecret, "  proxy_url: /__clerk\n", changed),
		"a proxy at an odd path":       documentOf(withKey, newSecret, "  authorized_parties: https://app.example.com\n  proxy_url: https://app.example.com/a;b/%2e%2e/\n", changed),
		"no secret key for the page":   documentOf("", newSecret, "  sign_in_url: https://accounts.example.com\n", changed),
		"a secret of other characters": documentOf(withKey, "whsec_no", "", changed),
		"a key that signs nothing":     documentOf(withKey, newSecret, "", "revocation: {max_entries: 5000}\nassertion: {key: nonsense}\n"),
		"a store that is none":         documentOf(withKey, newSecret, "", changed+"redis: {url: localhost}\n"),
		"too long a memory":            documentOf(withKey, newSecret, "", "revocation: {max_entries: 1000000000}\n"),
		"a rule that is none":          documentOf(withKey, newSecret, "", changed+"rules: [{name: a}]\n"),
		"a limit that is none":         documentOf(withKey, newSecret, "", changed+"limits: {a: {limit: 0, window: 1s, key: ip}}\n"),
		"an unknown word":              documentOf(withKey, newSecret, "  proxy: /__clerk\n", changed),
		"no YAML":                      "clerk: [",
		"nothing":                      "",
	} {
		t.Run(name, func(t *testing.T) {
			if s.reload(t, bad) {
				t.Error("the reload is taken")
			}
			expectEnds(t, oldSecret, newSecret)
			if out, err := run(t, "validate", "--http", s.path); err == nil {
				t.Errorf("it is valid: %s", out)
			}
		})
	}
	t.Run("a good one", func(t *testing.T) {
		if !s.reload(t, documentOf(withKey, newSecret, "  authorized_parties: https://app.example.com\n  proxy_url: /__clerk\n", changed)) {
			t.Fatal("the reload is not taken")
		}
		expectEnds(t, newSecret, oldSecret)
	})
	t.Run("only the secret", func(t *testing.T) {
		session := signIn()
		if status := s.ended(t, session, newSecret); status != http.StatusNoContent {
			t.Fatalf("a delivery is answered %d", status)
		}
		if !s.reload(t, documentOf(withKey, oldSecret, "  authorized_parties: https://app.example.com\n  proxy_url: /__clerk\n", changed)) {
			t.Fatal("the reload is not taken")
		}
		if s.allows(t, session) {
			t.Error("what had ended before the reload passes after it")
		}
		expectEnds(t, oldSecret, newSecret)
	})
	t.Run("other stores", func(t *testing.T) {
		redis := testredis.Start(t)
		ended := signIn()
		if status := s.ended(t, ended, oldSecret); status != http.StatusNoContent {
			t.Fatalf("a delivery is answered %d", status)
		}
		for name, stores := range map[string]string{
			"no settings":        "",
			"other bounds":       "revocation: {max_entries: 70, max_token_lifetime: 48h}\n",
			"a Redis":            "redis: {url: \"redis://" + redis.Addr + "\"}\n",
			"another name there": "redis: {url: \"redis://" + redis.Addr + "\", prefix: other}\n",
		} {
			if !s.reload(t, documentOf(withKey, oldSecret, "", stores)) {
				t.Fatalf("%s: the reload is not taken", name)
			}
			if s.allows(t, ended) {
				t.Errorf("%s: what had ended before the reload passes after it", name)
			}
			eventually(t, func() bool {
				session, err := clerk.SignIn("user_ada")
				return err == nil && s.allows(t, session)
			})
			expectEnds(t, oldSecret, newSecret)
		}
	})
}

// Validate refuses a proxy that serve --http would not start, also where nobody
// said that there will be one.
func TestValidateFindsAProxyThatWouldNotStart(t *testing.T) {
	t.Parallel()
	for rest, valid := range map[string]bool{
		"proxy_url: /__clerk": false,
		"proxy_url: /__clerk, authorized_parties: https://app.example.com": true,
		"proxy_url: https://app.example.com/%2e%2e/b":                      false,
		"proxy_url: https://app.example.com/__clerk":                       true,
		"proxy_url: https://clerk.example.com":                             true,
	} {
		path := filepath.Join(t.TempDir(), "clerkgate.yaml")
		write(t, path, "clerk: {publishable_key: "+publishableKey+", secret_key: sk_live_0123456789abcdefghij0123456789abcdefghij01, "+rest+"}\n")
		out, err := run(t, "validate", path)
		if (err == nil) != valid || !valid && !strings.Contains(out, path+":1:") {
			t.Errorf("%s: %v, %s", rest, err, out)
		}
	}
}

// Whoever asks twice to stop does not want to wait, by whichever signals, and whether the
// drain has begun or not.
func TestASecondSignalEndsTheProcessAtOnce(t *testing.T) {
	t.Parallel()
	for _, first := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
		for _, second := range []syscall.Signal{syscall.SIGINT, syscall.SIGTERM} {
			for _, draining := range []bool{true, false} {
				t.Run(fmt.Sprintf("%v, %v, draining: %v", first, second, draining), func(t *testing.T) {
					t.Parallel()
					if first == second && !draining {
						t.Skip("two of a kind that come at once are one to the system")
					}
					path, at := document(t, ""), testprocess.Address(t)
					p := process(t, "serve", "--config", path, "--grpc", at, "--admin", "", "--drain", "1h", "--log-text")
					p.AwaitListening(t, at)
					p.Signal(first)
					if draining {
						eventually(t, func() bool { return strings.Contains(p.Log.String(), "msg=draining") })
					}
					p.Signal(second)
					select {
					case <-p.Exited:
					case <-time.After(testprocess.Patience):
						t.Error("it goes on")
					}
				})
			}
		}
	}
}

// Signals to reload that come as soon as the process listens, and many of them, end
// nothing.
func TestHangupsRightAfterTheStartAreSurvived(t *testing.T) {
	t.Parallel()
	at := testprocess.Address(t)
	p := process(t, "serve", "--config", document(t, "default: {access: public}\n"), "--grpc", at, "--admin", "", "--drain", "1ms", "--log-text", "--watch", "0")
	p.AwaitListening(t, at)
	for range 100 {
		p.Signal(syscall.SIGHUP)
	}
	eventually(t, func() bool { return strings.Contains(p.Log.String(), "msg=reloaded") })
	if !allowed(t, at) {
		t.Error("it does not decide any more")
	}
}
