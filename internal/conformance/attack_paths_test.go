package conformance

import (
	"context"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// pathInput is the input of a case in paths.jsonl.
type pathInput struct {
	Policy         attackPolicy    `json:"policy"`
	Caller         string          `json:"caller"`
	Request        attackRequest   `json:"request"`
	Surfaces       []string        `json:"surfaces"`
	MustNotForward []string        `json:"must_not_forward"`
	ForwardAuth    *map[string]any `json:"forward_auth"`
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
	headers   []policy.Header
	signedIn  bool
	rule      string
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
		sum := score{name: "paths through policy"}
		for i := range cases {
			a := &cases[i]
			if !slices.Contains(a.Input.Surfaces, "core") || a.Input.ForwardAuth != nil {
				continue
			}
			o := decidePath(t, a)
			ok := judgePath(a, o)
			sum.add(a.mustRefuse(), a.mustPass(), ok)
			if !ok {
				t.Errorf("%s: %s %s as %s: got %v (%d), want %s or %v: %s", a.ID, a.Input.Request.Method, strconv.Quote(a.Input.Request.Target), a.Input.Caller, o.outcomes(), o.status, a.expected(), a.AlsoOK, a.Why)
			}
		}
		sum.report(t)
	})
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
