package testingress_test

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testingress"
)

var folder = filepath.Join("..", "..", "examples", "ingress")

// demo is a request of the table in the README, and what must come of it.
type demo struct {
	name, target string
	// token makes the token of who asks; nobody asks without.
	token   func(*world) string
	browser bool
	// times is how often it is made: all but the last must pass.
	times  int
	status int
	// user is whom the app is told of.
	user string
}

var demos = []demo{
	{name: "nobody", target: "/", status: 200},
	{name: "Sol", target: "/dashboard", token: of("user_sol", nil), status: 200, user: "user_sol"},
	{name: "nobody, in a browser", target: "/dashboard", browser: true, status: 307},
	{name: "nobody", target: "/dashboard", status: 401},
	{name: "a member", target: "/admin", token: of("user_max", nil), status: 403},
	{name: "an admin", target: "/admin", token: of("user_ada", nil), status: 200, user: "user_ada"},
	{name: "a member", target: "/reports", token: of("user_max", nil), status: 403},
	{name: "an admin", target: "/reports", token: of("user_ada", nil), status: 200, user: "user_ada"},
	{name: "verified lately", target: "/billing", token: of("user_ada", nil), status: 200, user: "user_ada"},
	{name: "verified hours ago", target: "/billing", token: of("user_ada", map[string]any{"fva": []int{180, -1}}), status: 403},
	{name: "one user, six times", target: "/api/items", token: somebody, times: 6, status: 429},
	{name: "an admin", target: "/%2561dmin", token: of("user_ada", nil), status: 400},
}

// world is the demo's Clerk instance behind the configuration under test.
type world struct {
	clerk  *clerktest.Instance
	gate   *testingress.Gate
	client *http.Client
}

// of makes tokens of a user.
func of(user string, claims map[string]any) func(*world) string {
	return func(w *world) string {
		session, err := w.clerk.SignIn(user)
		if err != nil {
			panic(err) // the people are those of clerktest
		}
		return w.clerk.Mint(session, clerktest.Token{Claims: claims})
	}
}

// somebody makes a token of a user whom no limit has counted yet.
func somebody(w *world) string {
	return of("user_sol", map[string]any{"sub": "user_" + rand.Text()})(w)
}

// seen is what the app says it received.
type seen struct{ User []string }

// newWorld starts the demo behind an ingress.
func newWorld(t *testing.T, ingress *testingress.Ingress) *world {
	t.Helper()
	testenvoy.Binary(t) // skips early
	certificate := testingress.NewCertificate(t)
	configuration := ingress.Translate(t, folder, certificate)
	clerk := clerktest.Start(t, clerktest.Options{FrontendURL: clerktest.Itself, Origins: []string{"https://" + testingress.Host}})
	policy, err := os.ReadFile(filepath.Join("..", "..", "examples", "demo", "policy.yaml"))
	if err != nil {
		t.Fatal(err)
	}
	gate := testingress.Serve(t, string(policy), append(origins(string(policy)),
		"DEMO_PUBLISHABLE_KEY="+clerk.PublishableKey(), "DEMO_SECRET_KEY="+clerk.SecretKey(), "DEMO_CLERK_URL="+clerk.URL())...)
	gate.Answers(t, ingress.Port)
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(seen{User: r.Header.Values("X-User-Id")}) // the client may be gone
	}))
	t.Cleanup(app.Close)
	gate.Services[testingress.AppPort] = app.Listener.Addr().String()
	envoy := testenvoy.Start(t, configuration.Bootstrap(t, certificate, []testingress.Edge{{Name: "edge", Services: gate.Services}}))
	address := envoy.Listener(t, "edge")
	return &world{clerk: clerk, gate: gate, client: &http.Client{
		Timeout:       time.Minute,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		Transport: &http.Transport{
			TLSClientConfig: certificate.Client(),
			DialContext: func(ctx context.Context, network, _ string) (net.Conn, error) {
				return new(net.Dialer).DialContext(ctx, network, address)
			},
		},
	}}
}

// origins are the variables in which the demo's policy has the origins of its proxies:
// this ingress is in the place of Envoy.
func origins(policy string) []string {
	variables := []string{"DEMO_ENVOY_ORIGIN=https://" + testingress.Host}
	for _, name := range regexp.MustCompile(`DEMO_[A-Z]+_ORIGIN`).FindAllString(policy, -1) {
		if name != "DEMO_ENVOY_ORIGIN" {
			variables = append(variables, name+"=https://"+strings.ToLower(strings.Split(name, "_")[1])+".example.com")
		}
	}
	return variables
}

// ask makes a request of a client that tries to be somebody else besides.
func (w *world) ask(t *testing.T, d *demo, token string) (status int, location string, app seen) {
	t.Helper()
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "https://"+testingress.Host+d.target, nil)
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("X-User-Id", "user_forged")
	if d.browser {
		r.Header.Set("Accept", "text/html")
	}
	if token != "" {
		r.Header.Set("Authorization", "Bearer "+token)
	}
	response, err := w.client.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	if response.StatusCode == http.StatusOK {
		if err := json.NewDecoder(response.Body).Decode(&app); err != nil {
			t.Errorf("the answer is not the app's: %v", err)
		}
	}
	return response.StatusCode, response.Header.Get("Location"), app
}

// limitRest is how soon the demo's limit lets one more request pass.
const limitRest = 2 * time.Second

// make makes a request as often as it says, and reports what is wrong. Where that took
// so long that the limit let one more pass, it starts over, as somebody else.
func (w *world) make(t *testing.T, d *demo) error {
	t.Helper()
	for range 3 {
		began, err := time.Now(), w.makeOnce(t, d)
		if d.times == 0 || time.Since(began) < limitRest {
			return err
		}
	}
	return errors.New("never in time")
}

func (w *world) makeOnce(t *testing.T, d *demo) error {
	t.Helper()
	token := ""
	if d.token != nil {
		token = d.token(w)
	}
	for n := range max(1, d.times) {
		want := d.status
		if n < d.times-1 {
			want = http.StatusOK
		}
		status, location, app := w.ask(t, d, token)
		switch {
		case status != want:
			return fmt.Errorf("number %d: %d, want %d", n+1, status, want)
		case status == http.StatusTemporaryRedirect && !strings.HasPrefix(location, w.clerk.FrontendURL()+"/v1/client/handshake?redirect_url=https%3A%2F%2F"+testingress.Host):
			return fmt.Errorf("sent to %q", location)
		case status == http.StatusOK && d.times == 0 && (len(app.User) > 1 || strings.Join(app.User, "") != d.user):
			return fmt.Errorf("the app is told of %q, want %q", app.User, d.user)
		}
	}
	return nil
}

// holds makes the demo's requests, and then one while the gate is away.
func (w *world) holds(t *testing.T, away int) {
	t.Helper()
	passed := 0
	for _, d := range demos {
		if err := w.make(t, &d); err != nil {
			t.Errorf("%s as %s: %v", d.target, d.name, err)
		} else {
			passed++
		}
	}
	t.Logf("%d of %d requests of the demo came out right", passed, len(demos))
	w.gate.Process.Kill()
	if status, _, _ := w.ask(t, &demo{target: "/"}, ""); status != away {
		t.Errorf("with the gate away: %d, want %d", status, away)
	}
}

// What controllers make of the manifests, in a real Envoy with a real clerkgate.
func TestIngressesPassTheDemosTable(t *testing.T) {
	for _, c := range testingress.Runnable {
		t.Run(c.File, func(t *testing.T) {
			newWorld(t, &c).holds(t, c.Away)
		})
	}
}
