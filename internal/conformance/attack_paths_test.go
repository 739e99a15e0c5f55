package conformance

import (
	"context"
	"encoding/json"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// pathInput is the input of a case in paths.jsonl.
type pathInput struct {
	Policy         attackPolicy  `json:"policy"`
	Caller         string        `json:"caller"`
	Request        attackRequest `json:"request"`
	Surfaces       []string      `json:"surfaces"`
	MustNotForward []string      `json:"must_not_forward"`
	ForwardAuth    *lyingCheck   `json:"forward_auth"`
}

// lyingCheck is a check by forward auth that is spelt out.
type lyingCheck struct {
	Peer           string      `json:"peer"`
	TrustedProxies []string    `json:"trusted_proxies"`
	Headers        [][2]string `json:"headers"`
}

// attackPolicy is a policy in the attack files' own words.
type attackPolicy struct {
	Rules []struct {
		Name    string   `json:"name"`
		Paths   []string `json:"paths"`
		Access  string   `json:"access"`
		Methods []string `json:"methods"`
		Hosts   []string `json:"hosts"`
	} `json:"rules"`
	Default string `json:"default"`
}

type attackRequest struct {
	Method    string      `json:"method"`
	Host      string      `json:"host"`
	Target    string      `json:"target"`
	TargetB64 string      `json:"target_b64"`
	Headers   [][2]string `json:"headers"`
	Body      string      `json:"body"`
	Trailers  [][2]string `json:"trailers"`
}

// config is the policy in our words.
func (p *attackPolicy) config() policy.Config {
	var c policy.Config
	for _, r := range p.Rules {
		rule := policy.Rule{Name: r.Name, Match: policy.Match{Path: r.Paths, Method: r.Methods, Host: r.Hosts}}
		rule.Access, rule.Require = attackAccess(r.Access)
		c.Rules = append(c.Rules, rule)
	}
	switch access, require := attackAccess(p.Default); {
	case require != nil:
		c.Rules = append(c.Rules, policy.Rule{Name: "rest", Match: policy.Match{Path: policy.StringList{"(.*)"}}, Require: require})
	default:
		c.Default.Access = access
	}
	return c
}

func attackAccess(word string) (policy.Access, *policy.Requirement) {
	if role, ok := strings.CutPrefix(word, "role:"); ok {
		return policy.Protected, &policy.Requirement{Role: policy.StringList{role}}
	}
	return map[string]policy.Access{"public": policy.Public, "signed-in": policy.Protected, "deny": policy.DenyAccess}[word], nil
}

// callers are the principals of the path cases.
var callers = map[string]*policy.Principal{
	"member": {TokenType: policy.SessionToken, UserID: "user_member", SessionID: "sess_member", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:member"},
	"admin":  {TokenType: policy.SessionToken, UserID: "user_admin", SessionID: "sess_admin", OrgID: "org_1", OrgSlug: "acme", OrgRole: "org:admin"},
}

// caller authenticates everybody as itself.
type caller string

func (c caller) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	if p := callers[string(c)]; p != nil {
		return policy.AuthState{Status: policy.SignedIn, Principal: p, Presented: true}
	}
	return policy.AuthState{Reason: policy.ReasonSessionMissing}
}

// observed is what came of one request, on any surface.
type observed struct {
	status int
	// forwarded: the upstream got the request, with these fields.
	forwarded bool
	target    string
	headers   []policy.Header
	signedIn  bool
	rule      string
	// client is the address the request was attributed to.
	client string
	// response are the fields of the answer.
	response http.Header
}

// outcomes are the words for what came, in the attack files' vocabulary.
func (o *observed) outcomes() []string {
	switch {
	case o.forwarded && o.signedIn:
		return []string{"allowed-signed-in"}
	case o.forwarded:
		return []string{"allowed-public"}
	case slices.Contains([]int{400, 404, 405, 414, 421, 431, 501}, o.status):
		return []string{"rejected-400", "denied"}
	default:
		return []string{"protected-as:" + o.rule, "protected-as:*", "denied"}
	}
}

// judgePath reports whether the outcome is one the case takes.
func judgePath(a *attack[pathInput], o *observed) bool {
	for _, outcome := range o.outcomes() {
		// A public route passes a signed-in caller with its identity.
		if outcome == "allowed-signed-in" && a.Input.Caller != "anonymous" && slices.Contains(append(a.AlsoOK, a.expected()), "allowed-public") {
			outcome = "allowed-public"
		}
		if outcome == a.expected() || slices.Contains(a.AlsoOK, outcome) {
			return !o.forwarded || forwardsNone(o.headers, a.Input.MustNotForward)
		}
	}
	return false
}

// forwardsNone reports whether no field folds to a forbidden name.
func forwardsNone(headers []policy.Header, forbidden []string) bool {
	return !slices.ContainsFunc(headers, func(h policy.Header) bool {
		return slices.ContainsFunc(forbidden, func(name string) bool { return foldHeader(h.Name) == foldHeader(name) })
	})
}

// foldHeader is rule H1: lower case, everything else a dash.
func foldHeader(name string) string {
	return strings.Map(func(r rune) rune {
		if 'a' <= r && r <= 'z' || '0' <= r && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

func TestAttackPaths(t *testing.T) {
	cases := loadAttacks[pathInput](t, "paths")
	t.Run("policy", func(t *testing.T) {
		runPaths(t, "policy", "core", cases, func(a *attack[pathInput]) *observed { return decidePath(t, a) })
	})
	signer := newSigner(t)
	gates := newPathGates(t, cases, signer)
	for name, start := range surfaces {
		t.Run(name, func(t *testing.T) {
			s := start(t, gates.configs, startUpstream(t))
			runPaths(t, s.name(), bytesOn(name), cases, func(a *attack[pathInput]) *observed {
				o := exchange(t, s.address(gates.of(t, a)), "", rawRequest(t, &a.Input.Request, gates.credentials(a.Input.Caller)...))
				o.signedIn = headerOf(o.headers, "X-User-Id") != ""
				if o.forwarded && o.target != textOr64(t, a.Input.Request.Target, a.Input.Request.TargetB64) {
					return decideRewritten(t, a, o)
				}
				return o
			})
		})
	}
}

// decideRewritten judges a request whose target the proxy normalized before it
// asked, by what it forwarded: the policy must pass that target for that caller.
// Then the case's own target never reached the upstream, which is a refusal.
func decideRewritten(t *testing.T, a *attack[pathInput], o *observed) *observed {
	t.Helper()
	forwarded := *a
	forwarded.Input.Request.Target, forwarded.Input.Request.TargetB64 = o.target, ""
	if d := decidePath(t, &forwarded); !d.forwarded || d.signedIn != o.signedIn {
		t.Errorf("%s: the upstream received %q, which the policy refuses", a.ID, o.target)
	}
	if a.mustRefuse() {
		return &observed{status: http.StatusBadRequest}
	}
	return o
}

// runPaths runs the cases that name a surface, and sums them up.
func runPaths(t *testing.T, title, surface string, cases []attack[pathInput], do func(*attack[pathInput]) *observed) {
	sum := score{name: "paths through " + title}
	for i := range cases {
		a := &cases[i]
		if !slices.Contains(a.Input.Surfaces, surface) || a.Input.ForwardAuth != nil {
			continue
		}
		o := do(a)
		ok := judgePath(a, o)
		sum.add(a.mustRefuse(), a.mustPass(), ok, o.forwarded)
		if !ok {
			t.Errorf("%s: %s %s as %s: got %v (%d), want %s or %v: %s", a.ID, a.Input.Request.Method, strconv.Quote(a.Input.Request.Target), a.Input.Caller, o.outcomes(), o.status, a.expected(), a.AlsoOK, a.Why)
		}
	}
	sum.report(t)
}

// pathGates are the policies of the cases, each a gate of its own, and tokens
// for the callers.
type pathGates struct {
	configs []setup.Config
	numbers map[string]int
	tokens  map[string]string
}

func newPathGates(t *testing.T, cases []attack[pathInput], s *signer) *pathGates {
	t.Helper()
	g := &pathGates{numbers: map[string]int{}, tokens: map[string]string{}}
	for i := range cases {
		key := policyKey(t, &cases[i])
		if _, known := g.numbers[key]; !known {
			g.numbers[key] = len(g.configs)
			g.configs = append(g.configs, setup.Config{
				Clerk:  session.Config{PublishableKey: attackPublishableKey, JWTKey: s.publicPEM(t)},
				Config: cases[i].Input.Policy.config(),
			})
		}
	}
	now := time.Now().Unix()
	for name, p := range callers {
		g.tokens[name] = s.sign(t, s.key, map[string]any{"alg": "RS256", "typ": "JWT", "kid": "ins_test"}, map[string]any{
			"iss": attackIssuer, "sub": p.UserID, "sid": p.SessionID, "sts": "active", "v": 2, "iat": now - 1, "nbf": now - 10, "exp": now + 3600,
			"o": map[string]any{"id": p.OrgID, "slg": p.OrgSlug, "rol": strings.TrimPrefix(p.OrgRole, "org:")},
		})
	}
	return g
}

// The instance that the cases' tokens come from.
const (
	attackPublishableKey = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"
	attackIssuer         = "https://clerk.example.com"
)

func policyKey(t *testing.T, a *attack[pathInput]) string {
	t.Helper()
	data, err := json.Marshal(a.Input.Policy)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}

func (g *pathGates) of(t *testing.T, a *attack[pathInput]) int { return g.numbers[policyKey(t, a)] }

func (g *pathGates) credentials(caller string) []policy.Header {
	if token := g.tokens[caller]; token != "" {
		return []policy.Header{{Name: "Authorization", Value: "Bearer " + token}}
	}
	return nil
}

func headerOf(headers []policy.Header, name string) string {
	for _, h := range headers {
		if strings.EqualFold(h.Name, name) {
			return h.Value
		}
	}
	return ""
}

// decidePath asks the policy itself.
func decidePath(t *testing.T, a *attack[pathInput]) *observed {
	t.Helper()
	p, err := policy.New(a.Input.Policy.config(), policy.Deps{Authenticator: caller(a.Input.Caller), Now: time.Now})
	if err != nil {
		t.Fatalf("%s: %v", a.ID, err)
	}
	in := a.Input.Request
	r := &policy.Request{Method: in.Method, Scheme: "https", Host: in.Host, Target: textOr64(t, in.Target, in.TargetB64), Peer: netip.MustParseAddr("198.51.100.7")}
	for _, h := range in.Headers {
		r.Headers = append(r.Headers, policy.Header{Name: h[0], Value: h[1]})
	}
	d := p.Decide(t.Context(), r)
	return &observed{status: d.Status, forwarded: d.Allowed(), signedIn: d.Principal != nil, rule: d.Rule, headers: keptHeaders(r.Headers, &d)}
}

// keptHeaders are the client's fields that the decision leaves.
func keptHeaders(sent []policy.Header, d *policy.Decision) []policy.Header {
	return slices.DeleteFunc(slices.Clone(sent), func(h policy.Header) bool {
		return slices.ContainsFunc(d.RemoveHeaders, func(name string) bool { return strings.EqualFold(name, h.Name) })
	})
}
