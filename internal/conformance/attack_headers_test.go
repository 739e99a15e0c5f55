package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// headerInput is the input of a case in headers.jsonl.
type headerInput struct {
	Config   headerConfig      `json:"config"`
	Route    string            `json:"route"`
	Peer     string            `json:"peer"`
	Request  attackRequest     `json:"request"`
	Tokens   map[string]string `json:"tokens"`
	Surfaces []string          `json:"surfaces"`
	Pair     []struct {
		Peer    string      `json:"peer"`
		Headers [][2]string `json:"headers"`
	} `json:"pair"`
}

type headerConfig struct {
	Issuer            string            `json:"issuer"`
	AuthorizedParties []string          `json:"authorized_parties"`
	IdentityHeaders   map[string]string `json:"identity_headers"`
	Origin            string            `json:"origin"`
	SignInURL         string            `json:"sign_in_url"`
	TrustedProxies    []string          `json:"trusted_proxies"`
	JWKS              attackKeys        `json:"jwks"`
	Now               int64             `json:"now"`
}

// headerCheck is what must hold of the outcome.
type headerCheck struct {
	Upstream            map[string]string `json:"upstream"`
	UpstreamSubset      map[string]string `json:"upstream_subset"`
	Absent              []string          `json:"absent"`
	NoControlCharacters bool              `json:"no_control_characters"`
	Never               []string          `json:"never"`
	LocationPrefix      string            `json:"location_prefix"`
	RedirectURLOrigin   string            `json:"redirect_url_origin"`
	OneLocationHeader   bool              `json:"one_location_header"`
}

// claimSources are the claims of the cases in the words of identity_headers.
var claimSources = map[string]string{"sub": "user_id", "sid": "session_id", "org_id": "org_id", "org_role": "org_role"}

// config is the configuration in our words: what is public is /about and the
// home page, everything else wants a session.
func (c *headerConfig) config(t *testing.T, s *signer) setup.Config {
	config := setup.Config{
		Clerk: session.Config{PublishableKey: attackPublishableKey, JWTKey: s.publicPEM(t), AuthorizedParties: c.AuthorizedParties, SignInURL: c.SignInURL},
		Config: policy.Config{
			TrustedProxies: c.TrustedProxies,
			Rules:          []policy.Rule{{Name: "open", Match: policy.Match{Path: policy.StringList{"/", "/about"}}, Access: policy.Public}},
		},
	}
	if c.Origin != "" {
		config.Clerk.AuthorizedParties = policy.StringList{c.Origin}
	}
	if len(c.TrustedProxies) > 0 {
		config.TrustedProxies = append(slices.Clone(config.TrustedProxies), localPeers["10.0.0.2"])
	}
	if c.IdentityHeaders != nil {
		config.IdentityHeaders = map[string]string{}
		for header, claim := range c.IdentityHeaders {
			if source := claimSources[claim]; source != "" {
				config.IdentityHeaders[header] = source
			} else {
				config.IdentityHeaders[header] = "claims." + claim
			}
		}
	}
	return config
}

// headerCase is a case with its check.
type headerCase struct {
	attack[headerInput]
	check headerCheck
	// request is the input with tokens in place, moved to the present.
	request attackRequest
	gate    int
}

func TestAttackHeaders(t *testing.T) {
	signer := newSigner(t)
	cases, configs := prepareHeaderCases(t, signer)
	t.Run("policy", func(t *testing.T) {
		gates := openGates(t, configs)
		runHeaders(t, "policy", "", "", cases, func(c *headerCase) *observed { return decideHeaders(t, gates[c.gate], c) })
	})
	for name, start := range surfaces {
		t.Run(name, func(t *testing.T) {
			s := start(t, configs, startUpstream(t))
			runHeaders(t, s.name(), name, bytesOn(name), cases, func(c *headerCase) *observed {
				return exchange(t, s.address(c.gate), c.Input.Peer, rawRequest(t, &c.request))
			})
		})
	}
}

// prepareHeaderCases loads the cases and makes one gate for each configuration.
func prepareHeaderCases(t *testing.T, s *signer) ([]headerCase, []setup.Config) {
	t.Helper()
	checks := loadChecks(t)
	var cases []headerCase
	var configs []setup.Config
	numbers := map[string]int{}
	now := time.Now()
	for _, a := range loadAttacks[headerInput](t, "headers") {
		key, err := json.Marshal(a.Input.Config)
		if err != nil {
			t.Fatal(err)
		}
		if _, known := numbers[string(key)]; !known {
			numbers[string(key)] = len(configs)
			configs = append(configs, a.Input.Config.config(t, s))
		}
		c := headerCase{attack: a, check: checks[a.ID], request: a.Input.Request, gate: numbers[string(key)]}
		var pairs []string
		for name, token := range a.Input.Tokens {
			pairs = append(pairs, "${"+name+"}", s.move(t, token, a.Input.Config.JWKS, time.Unix(a.Input.Config.Now, 0), now))
		}
		replace := strings.NewReplacer(pairs...)
		c.request.Target = replace.Replace(c.request.Target)
		c.request.Headers = replaceAll(c.request.Headers, replace)
		c.request.Trailers = replaceAll(c.request.Trailers, replace)
		cases = append(cases, c)
	}
	return cases, configs
}

// loadChecks reads the checks, which stand beside the fields all attacks have.
func loadChecks(t *testing.T) map[string]headerCheck {
	t.Helper()
	checks := map[string]headerCheck{}
	for line := range strings.Lines(string(readAttacks(t, "headers"))) {
		var c struct {
			ID    string      `json:"id"`
			Check headerCheck `json:"check"`
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		checks[c.ID] = c.Check
	}
	return checks
}

func replaceAll(fields [][2]string, r *strings.Replacer) [][2]string {
	out := make([][2]string, len(fields))
	for i, f := range fields {
		out[i] = [2]string{f[0], r.Replace(f[1])}
	}
	return out
}

func openGates(t *testing.T, configs []setup.Config) []*setup.Gate {
	t.Helper()
	gates := make([]*setup.Gate, len(configs))
	for i, config := range configs {
		gate, err := setup.New(config, setup.Options{})
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(gate.Close)
		gates[i] = gate
	}
	return gates
}

// runHeaders runs the cases that name a surface; without a name, all that need
// no wire.
func runHeaders(t *testing.T, title, proxy, surface string, cases []headerCase, do func(*headerCase) *observed) {
	sum := score{name: "headers through " + title}
	for i := range cases {
		c := &cases[i]
		if surface == "" && c.Family == "header-syntax" || surface != "" && !slices.Contains(c.Input.Surfaces, surface) {
			continue
		}
		var got string
		var ok, passed bool
		if len(c.Input.Pair) > 0 {
			if surface != "" {
				continue
			}
			got = bucketsOf(t, c)
			ok = got == c.expected()
		} else {
			o := do(c)
			got, ok = judgeHeaders(c, o)
			passed = o.forwarded
			if why := saysOtherwise(proxy, c, o); !ok && why != "" {
				t.Logf("%s: got %s: %s", c.ID, got, why)
				sum.named++
				continue
			}
		}
		sum.add(c.mustRefuse(), c.mustPass(), ok, passed)
		if !ok {
			t.Errorf("%s: got %s, want %s or %v: %s", c.ID, got, c.expected(), c.AlsoOK, c.Why)
		}
	}
	sum.report(t)
}

// decideHeaders asks the policy itself, with a real authenticator.
func decideHeaders(t *testing.T, gate *setup.Gate, c *headerCase) *observed {
	t.Helper()
	peer := c.Input.Peer
	if local := localPeers[peer]; local != "" {
		peer = local
	}
	r := &policy.Request{Method: c.request.Method, Scheme: "https", Host: c.request.Host, Target: textOr64(t, c.request.Target, c.request.TargetB64), Peer: netip.MustParseAddr(peer)}
	for _, h := range c.request.Headers {
		r.Headers = append(r.Headers, policy.Header{Name: h[0], Value: strings.Trim(h[1], " \t")})
	}
	d := gate.Policy.Decide(t.Context(), r)
	o := &observed{status: d.Status, forwarded: d.Allowed(), rule: d.Rule, client: d.Client.String(), response: http.Header{}}
	for _, h := range d.ResponseHeaders {
		o.response.Add(h.Name, h.Value)
	}
	o.headers = slices.DeleteFunc(keptHeaders(r.Headers, &d), func(h policy.Header) bool {
		return slices.ContainsFunc(d.SetHeaders, func(set policy.Header) bool { return strings.EqualFold(set.Name, h.Name) })
	})
	o.headers = append(o.headers, d.SetHeaders...)
	return o
}

// judgeHeaders names the outcome and reports whether the case takes it.
func judgeHeaders(c *headerCase, o *observed) (string, bool) {
	outcomes := headerOutcomes(c, o)
	got := strings.Join(outcomes, " or ")
	if !checkLocation(c, o) {
		return got + " with Location " + o.response.Get("Location"), false
	}
	if o.forwarded {
		for _, h := range o.headers {
			if slices.ContainsFunc(c.check.Never, func(never string) bool { return strings.Contains(h.Value, never) && c.Family != "client-ip" }) {
				return got + " with " + h.Name + " upstream", false
			}
		}
	}
	return got, slices.ContainsFunc(outcomes, func(outcome string) bool {
		return outcome == c.expected() || slices.Contains(c.AlsoOK, outcome)
	})
}

// headerOutcomes are the words for what came.
func headerOutcomes(c *headerCase, o *observed) []string {
	switch {
	case strings.HasPrefix(c.expected(), "client-ip:"):
		return clientOutcomes(o)
	case o.forwarded:
		return identityOutcomes(c, o)
	case slices.Contains([]int{400, 404, 405, 414, 421, 431, 501}, o.status):
		return []string{"rejected-400"}
	case o.response.Get("Location") != "":
		return []string{"challenge", "redirect-safe"}
	default:
		return []string{"challenge"}
	}
}

// clientOutcomes name the client by the case's own addresses.
func clientOutcomes(o *observed) []string {
	client := o.client
	for original, local := range localPeers {
		if client == local {
			client = original
		}
	}
	return []string{"client-ip:" + client}
}

// identityOutcomes name the identities that what the upstream received fits.
func identityOutcomes(c *headerCase, o *observed) []string {
	seen := map[string][]string{}
	for _, h := range o.headers {
		for header := range c.Input.Config.IdentityHeaders {
			if foldHeader(h.Name) == foldHeader(header) {
				seen[header] = append(seen[header], h.Value)
			}
		}
	}
	if len(seen) == 0 {
		return []string{"identity:none"}
	}
	var outcomes []string
	for name, token := range c.Input.Tokens {
		if len(c.Input.Tokens) == 1 && strings.HasPrefix(c.expected(), "identity:") {
			name = strings.TrimPrefix(c.expected(), "identity:") // the only token is the one meant
		}
		if fits(c, o, seen, name, token) {
			outcomes = append(outcomes, "identity:"+name)
		}
	}
	return append(outcomes, "some identity")
}

// fits reports whether the identity headers are exactly those of the token.
func fits(c *headerCase, o *observed, seen map[string][]string, name, token string) bool {
	if _, payload, ok := strings.Cut(token, "."); ok {
		payload, _, _ = strings.Cut(payload, ".")
		claims := decodeJSON(payload)
		for header, claim := range c.Input.Config.IdentityHeaders {
			if claim == "sub" && (len(seen[header]) != 1 || seen[header][0] != claims["sub"]) {
				return false
			}
		}
	}
	if "identity:"+name != c.expected() {
		return true
	}
	if c.check.Upstream != nil && len(seen) != len(c.check.Upstream) {
		return false
	}
	for _, wanted := range []map[string]string{c.check.Upstream, c.check.UpstreamSubset} {
		for header, value := range wanted {
			if len(seen[header]) != 1 || seen[header][0] != value {
				return false
			}
		}
	}
	return forwardsNone(o.headers, c.check.Absent) && (!c.check.NoControlCharacters || !slices.ContainsFunc(o.headers, func(h policy.Header) bool {
		return strings.ContainsFunc(h.Value, func(r rune) bool { return r < ' ' || r == 0x7f })
	}))
}

// checkLocation holds of every answer with a Location.
func checkLocation(c *headerCase, o *observed) bool {
	locations := o.response.Values("Location")
	if o.forwarded || len(locations) == 0 || c.check.LocationPrefix == "" {
		return true
	}
	u, err := url.Parse(locations[0])
	if err != nil || len(locations) != 1 || !strings.HasPrefix(locations[0], c.check.LocationPrefix) {
		return false
	}
	back, err := url.Parse(u.Query().Get("redirect_url"))
	return err == nil && len(u.Query()["redirect_url"]) == 1 && back.Scheme+"://"+back.Host == c.check.RedirectURLOrigin
}

// bucketsOf tells whether two requests share a limit by address.
func bucketsOf(t *testing.T, c *headerCase) string {
	t.Helper()
	counter := &keyCounter{}
	p, err := policy.New(policy.Config{
		TrustedProxies: c.Input.Config.TrustedProxies,
		Limits:         map[string]policy.Limit{"ip": {Limit: 1, Window: policy.Duration(time.Minute), Key: policy.StringList{"ip"}}},
		Rules:          []policy.Rule{{Name: "all", Match: policy.Match{Path: policy.StringList{"(.*)"}}, Access: policy.Public, Limits: policy.StringList{"ip"}}},
	}, policy.Deps{Authenticator: caller(""), Limiter: counter, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	for _, one := range c.Input.Pair {
		r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/", Peer: netip.MustParseAddr(one.Peer)}
		for _, h := range one.Headers {
			r.Headers = append(r.Headers, policy.Header{Name: h[0], Value: h[1]})
		}
		p.Decide(t.Context(), r)
	}
	if keys := counter.keys; len(keys) == 2 && keys[0] == keys[1] {
		return "same-bucket"
	}
	return "different-bucket"
}

// keyCounter is a limiter that notes the keys it is asked about.
type keyCounter struct{ keys []string }

func (k *keyCounter) Take(_ context.Context, _ time.Time, checks []policy.LimitCheck, results []policy.LimitResult) error {
	for i, check := range checks {
		k.keys = append(k.keys, check.Key)
		results[i].Allowed = true
	}
	return nil
}
