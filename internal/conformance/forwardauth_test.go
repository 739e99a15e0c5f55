package conformance

import (
	"bufio"
	"context"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	proxies "github.com/clerkgate/clerkgate/examples/forward-auth"
	"github.com/clerkgate/clerkgate/forwardauth"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testproxy"
	"github.com/clerkgate/clerkgate/policy"
)

// proxySurface is one process of a proxy for each gate, which asks it by forward auth.
type proxySurface struct {
	title     string
	addresses []string
}

func (s *proxySurface) name() string            { return s.title }
func (s *proxySurface) address(gate int) string { return s.addresses[gate] }

// forwardAuth starts a kind of proxy, as users configure it.
func forwardAuth(kind string) func(*testing.T, []setup.Config, string) surface {
	return func(t *testing.T, configs []setup.Config, upstream string) surface {
		t.Helper()
		s := &proxySurface{title: kind + " by forward auth"}
		for _, config := range configs {
			places := proxies.Places{App: upstream, ForwardAuth: serveForwardAuth(t, config)}
			listed := []string{clientMark}
			for header := range config.IdentityHeaders {
				listed = append(listed, header)
			}
			s.addresses = append(s.addresses, testproxy.Start(t, kind, places, func(text string) string {
				return testproxy.WithIdentity(kind, testproxy.Behind(kind, text, config.TrustedProxies), listed)
			}))
		}
		return s
	}
}

// serveForwardAuth starts a server of forward auth for a configuration.
func serveForwardAuth(t *testing.T, config setup.Config) string {
	t.Helper()
	gate, err := setup.New(config, setup.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(gate.Close)
	handler, err := forwardauth.New(marked{gate.Policy}, forwardauth.Options{Timeout: exchangeTimeout, Trusts: func(netip.Addr) bool { return true }})
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(handler)
	server.Config.MaxHeaderBytes = 4 << 20
	server.Start()
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// marked shows which rule refused, and to the upstream who the client is.
type marked struct{ *policy.Policy }

func (m marked) Decide(ctx context.Context, r *policy.Request) policy.Decision {
	d := m.Policy.Decide(ctx, r)
	if d.Allowed() {
		d.SetHeaders = append(d.SetHeaders[:len(d.SetHeaders):len(d.SetHeaders)], policy.Header{Name: clientMark, Value: d.Client.String()})
	} else {
		d.ResponseHeaders = append(d.ResponseHeaders[:len(d.ResponseHeaders):len(d.ResponseHeaders)], policy.Header{Name: http.CanonicalHeaderKey(ruleMark), Value: d.Rule})
	}
	return d
}

// saysOtherwise names why a proxy that asks by forward auth comes to another outcome than the
// case wants; "" where it may not.
func saysOtherwise(proxy string, c *headerCase, o *observed) string {
	sent := func(matches func(name, value string) bool) (n int) {
		for _, h := range c.request.Headers {
			if matches(strings.ToLower(h[0]), h[1]) {
				n++
			}
		}
		return n
	}
	switch {
	case (proxy == "nginx" || proxy == "haproxy") && o.status == http.StatusServiceUnavailable && sent(func(_, value string) bool { return strings.ContainsFunc(value, isControl) }) > 0:
		return "a check with a control character is malformed, so that the proxy has no answer"
	case (proxy == "caddy-forward" || proxy == "traefik") && o.status == http.StatusBadRequest && sent(func(name, _ string) bool {
		return policy.NeverForwarded(name) || name == "forwarded" || name == "x-forwarded-host"
	}) > 0:
		return "the proxy would forward a reserved header"
	case proxy == "traefik" && c.Family == "client-ip" && len(c.Input.Config.TrustedProxies) > 0:
		return "Traefik's stand-in stands behind no other proxy"
	case (proxy == "caddy-forward" || proxy == "traefik" || proxy == "haproxy") && o.forwarded && len(c.request.Trailers) > 0:
		return "the proxy forwards trailers, of which a check does not tell"
	case proxy == "envoy-http" && !o.forwarded && sent(func(name, _ string) bool { return name == "cookie" }) > 1:
		return "Envoy joins fields by commas, which are part of a cookie"
	}
	return ""
}

func isControl(r rune) bool { return r < ' ' || r == 0x7f }

// A check is a request of its own. What it tells is judged, whatever its own line is.
func TestAttackForwardAuth(t *testing.T) {
	cases := loadAttacks[pathInput](t, "paths")
	signer := newSigner(t)
	gates := newPathGates(t, cases, signer)
	open := openGates(t, gates.configs)
	for _, dialect := range []string{"nginx", "traefik", "haproxy", "haproxy/script", "caddy", "envoy"} {
		t.Run(dialect, func(t *testing.T) {
			sum := score{name: "paths told to " + dialect}
			for i := range cases {
				a := &cases[i]
				if !slices.Contains(a.Input.Surfaces, "forward-auth") || a.Input.ForwardAuth != nil {
					continue
				}
				raw := checkOf(t, dialect, a, gates.credentials(a.Input.Caller))
				o := askForwardAuth(t, open[gates.of(t, a)].Policy, func(netip.Addr) bool { return true }, raw, "10.0.0.2")
				ok := judgePath(a, o)
				sum.add(a.mustRefuse(), a.mustPass(), ok, o.forwarded)
				if !ok {
					t.Errorf("%s: got %v (%d), want %s or %v: %s", a.ID, o.outcomes(), o.status, a.expected(), a.AlsoOK, a.Why)
				}
			}
			sum.report(t)
		})
	}
	t.Run("checks", func(t *testing.T) {
		sum := score{name: "checks that lie"}
		for i := range cases {
			a := &cases[i]
			if a.Input.ForwardAuth == nil {
				continue
			}
			p, raw := trusting(t, a), checkThatLies(a, gates.credentials(a.Input.Caller))
			o := askForwardAuth(t, p, p.Trusts, raw, a.Input.ForwardAuth.Peer)
			ok := judgePath(a, o)
			sum.add(a.mustRefuse(), a.mustPass(), ok, o.forwarded)
			if !ok {
				t.Errorf("%s: got %v (%d), want %s or %v: %s", a.ID, o.outcomes(), o.status, a.expected(), a.AlsoOK, a.Why)
			}
		}
		sum.report(t)
	})
}

// trusting is the policy of a case with the proxies that it trusts.
func trusting(t *testing.T, a *attack[pathInput]) *policy.Policy {
	t.Helper()
	config := a.Input.Policy.config()
	config.TrustedProxies = a.Input.ForwardAuth.TrustedProxies
	p, err := policy.New(config, policy.Deps{Authenticator: caller(a.Input.Caller), Now: time.Now})
	if err != nil {
		t.Fatalf("%s: %v", a.ID, err)
	}
	return p
}

// checkThatLies is the check of a case that spells it out, in the dialect that its
// headers are of.
func checkThatLies(a *attack[pathInput], credentials []policy.Header) string {
	dialect := "traefik"
	if slices.ContainsFunc(a.Input.ForwardAuth.Headers, func(h [2]string) bool { return h[0] == "X-Original-Method" }) {
		dialect = "nginx"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "GET /forward-auth/%s HTTP/1.1\r\nHost: clerkgate\r\n", dialect)
	for _, h := range a.Input.ForwardAuth.Headers {
		if h[0] != "Host" {
			fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
		}
	}
	for _, h := range credentials {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	return b.String() + "\r\n"
}

// checkOf is the check by which a proxy asks about the request of a case.
func checkOf(t *testing.T, dialect string, a *attack[pathInput], credentials []policy.Header) string {
	t.Helper()
	in := a.Input.Request
	target := textOr64(t, in.Target, in.TargetB64)
	var b strings.Builder
	switch dialect {
	case "nginx":
		fmt.Fprintf(&b, "GET /forward-auth/nginx HTTP/1.1\r\nHost: clerkgate\r\nX-Original-Method: %s\r\nX-Original-URL: https://%s%s\r\nX-Real-IP: 198.51.100.7\r\n", in.Method, in.Host, target)
	case "envoy":
		fmt.Fprintf(&b, "%s /forward-auth/envoy%s HTTP/1.1\r\nHost: %s\r\nX-Forwarded-Proto: https\r\nX-Forwarded-For: 198.51.100.7\r\n", in.Method, target, in.Host)
	default:
		fmt.Fprintf(&b, "GET /forward-auth/%s HTTP/1.1\r\nHost: clerkgate\r\nX-Forwarded-Method: %s\r\nX-Forwarded-Proto: https\r\nX-Forwarded-Host: %s\r\nX-Forwarded-Uri: %s\r\nX-Forwarded-For: 198.51.100.7\r\n", dialect, in.Method, in.Host, target)
	}
	for _, h := range in.Headers {
		fmt.Fprintf(&b, "%s: %s\r\n", h[0], h[1])
	}
	for _, h := range credentials {
		fmt.Fprintf(&b, "%s: %s\r\n", h.Name, h.Value)
	}
	return b.String() + "\r\n"
}

// askForwardAuth sends a check, as raw bytes, and says what the proxy would make of the
// answer. What net/http refuses is refused.
func askForwardAuth(t *testing.T, p *policy.Policy, trusts func(netip.Addr) bool, raw, peer string) *observed {
	t.Helper()
	r, err := http.ReadRequest(bufio.NewReader(strings.NewReader(raw)))
	if err != nil {
		return &observed{status: http.StatusBadRequest}
	}
	r.RemoteAddr = net.JoinHostPort(peer, "40000")
	var decided policy.Decision
	handler, err := forwardauth.New(recorded{p, &decided}, forwardauth.Options{Trusts: trusts})
	if err != nil {
		t.Fatal(err)
	}
	w := httptest.NewRecorder()
	handler.ServeHTTP(w, r)
	o := &observed{status: w.Code, forwarded: w.Code == http.StatusOK, rule: decided.Rule, signedIn: decided.Principal != nil, response: w.Header()}
	if told, err := strconv.Atoi(w.Header().Get("X-Clerkgate-Status")); err == nil {
		o.status = told // to nginx, which takes no other than 401 and 403
	}
	if o.forwarded {
		o.headers = remaining(r, &decided)
	}
	return o
}

// remaining are the fields of a check that the upstream would get of it.
func remaining(r *http.Request, d *policy.Decision) []policy.Header {
	var sent []policy.Header
	for _, h := range flatten(r.Header) {
		if !strings.HasPrefix(h.Name, "X-Original-") && h.Name != "X-Forwarded-Uri" && h.Name != "X-Forwarded-Method" { // of the proxy
			sent = append(sent, h)
		}
	}
	return keptHeaders(sent, d)
}

// recorded keeps the last decision.
type recorded struct {
	*policy.Policy
	last *policy.Decision
}

func (r recorded) Decide(ctx context.Context, request *policy.Request) policy.Decision {
	*r.last = r.Policy.Decide(ctx, request)
	return *r.last
}
