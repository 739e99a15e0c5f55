package policy_test

import (
	"context"
	"errors"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// guarded is a policy that takes every step of a decision on /x.
func guarded() policy.Config {
	return policy.Config{
		Limits: map[string]policy.Limit{
			"early": {Limit: 10, Window: policy.Duration(time.Minute), Key: policy.StringList{"ip"}},
			"late":  {Limit: 10, Window: policy.Duration(time.Minute), Key: policy.StringList{"user"}},
		},
		Rules: []policy.Rule{{
			Name: "x", Match: policy.Match{Path: policy.StringList{"/x"}},
			Require:   &policy.Requirement{Role: policy.StringList{"org:admin"}, Expression: "claims.ok == true"},
			Freshness: &policy.Freshness{MaxSessionAge: policy.Duration(time.Hour), Reverification: &policy.Reverification{Preset: "lax"}},
			Limits:    policy.StringList{"early", "late"},
		}},
	}
}

var instant = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

func goodPrincipal() *policy.Principal {
	return &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", OrgID: "org_1", OrgRole: "org:admin",
		IssuedAt: instant, Factors: policy.FactorAges{First: 1, Second: -1, Known: true}, Claims: map[string]any{"ok": true}}
}

// The pieces a policy asks, each of which a test makes fail.
type pieces struct {
	authenticate func(context.Context) policy.AuthState
	take         func([]policy.LimitResult) error
	revoked      func() policy.Reason
	created      func() (time.Time, error)
}

func goodPieces() *pieces {
	return &pieces{
		authenticate: func(context.Context) policy.AuthState {
			return policy.AuthState{Status: policy.SignedIn, Principal: goodPrincipal(), Presented: true}
		},
		take: func(results []policy.LimitResult) error {
			for i := range results {
				results[i].Allowed = true
			}
			return nil
		},
		revoked: func() policy.Reason { return "" },
		created: func() (time.Time, error) { return instant.Add(-time.Minute), nil },
	}
}

func (p *pieces) Authenticate(ctx context.Context, _ *policy.Request, _ policy.TokenTypes, _ time.Time) policy.AuthState {
	return p.authenticate(ctx)
}

func (p *pieces) Take(_ context.Context, _ time.Time, _ []policy.LimitCheck, results []policy.LimitResult) error {
	return p.take(results)
}

func (p *pieces) Revoked(*policy.Principal, time.Time) policy.Reason { return p.revoked() }

func (p *pieces) CreatedAt(context.Context, string) (time.Time, error) { return p.created() }

// decide asks for /x.
func (p *pieces) decide(t *testing.T, ctx context.Context) policy.Decision {
	t.Helper()
	return p.policy(t, guarded()).Decide(ctx, &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x", Peer: netip.MustParseAddr("203.0.113.5")})
}

func (p *pieces) policy(t *testing.T, config policy.Config) *policy.Policy {
	t.Helper()
	compiled, err := policy.New(config, policy.Deps{Authenticator: p, Limiter: p, Revocations: p, Sessions: p, Now: func() time.Time { return instant }})
	if err != nil {
		t.Fatal(err)
	}
	return compiled
}

func TestEverythingInOrderPasses(t *testing.T) {
	t.Parallel()
	if d := goodPieces().decide(t, t.Context()); !d.Allowed() || d.Reason != policy.ReasonAllowed {
		t.Errorf("%v %s: %v", d.Outcome, d.Reason, d.Cause)
	}
}

func TestTheZeroDecisionDenies(t *testing.T) {
	t.Parallel()
	var d policy.Decision
	if d.Allowed() || d.Outcome != policy.Deny {
		t.Error("the zero decision allows")
	}
}

// Whatever a piece does wrong, the request does not pass, and a panic is no
// exception.
func TestWhateverGoesWrongRefuses(t *testing.T) {
	t.Parallel()
	failure := errors.New("it broke")
	for name, c := range map[string]struct {
		spoil func(*pieces)
		want  policy.Reason
	}{
		"the zero state":                  {func(p *pieces) { p.authenticate = func(context.Context) policy.AuthState { return policy.AuthState{} } }, policy.ReasonSessionMissing},
		"signed in as nobody":             {func(p *pieces) { p.state(policy.AuthState{Status: policy.SignedIn}) }, policy.ReasonSessionMissing},
		"a reason that stands for a pass": {func(p *pieces) { p.state(policy.AuthState{Reason: policy.ReasonAllowed}) }, policy.ReasonSessionMissing},
		"a principal, but signed out":     {func(p *pieces) { p.state(policy.AuthState{Principal: goodPrincipal()}) }, policy.ReasonSessionMissing},
		"another kind of token": {func(p *pieces) {
			p.state(policy.AuthState{Status: policy.SignedIn, Principal: &policy.Principal{TokenType: policy.APIKey, UserID: "u"}})
		}, policy.ReasonTokenType},
		"no kind of token": {func(p *pieces) {
			p.state(policy.AuthState{Status: policy.SignedIn, Principal: &policy.Principal{UserID: "u"}})
		}, policy.ReasonTokenType},
		"unavailable":       {func(p *pieces) { p.state(policy.AuthState{Status: policy.Unavailable}) }, policy.ReasonKeysUnavailable},
		"an unknown status": {func(p *pieces) { p.state(policy.AuthState{Status: 99, Principal: goodPrincipal()}) }, policy.ReasonSessionMissing},
		"handshake without a location": {func(p *pieces) {
			p.state(policy.AuthState{Status: policy.Handshake, Reason: policy.ReasonSessionExpired})
		}, policy.ReasonSessionExpired},
		"the limiter fails":                {func(p *pieces) { p.take = func([]policy.LimitResult) error { return failure } }, policy.ReasonLimiterUnavailable},
		"the limiter says nothing":         {func(p *pieces) { p.take = func([]policy.LimitResult) error { return nil } }, policy.ReasonRateLimited},
		"a revoked session":                {func(p *pieces) { p.revoked = func() policy.Reason { return policy.ReasonSessionRevoked } }, policy.ReasonSessionRevoked},
		"revoked for a reason that passes": {func(p *pieces) { p.revoked = func() policy.Reason { return policy.ReasonPublic } }, policy.ReasonSessionRevoked},
		"session lookup fails":             {func(p *pieces) { p.created = func() (time.Time, error) { return time.Time{}, failure } }, policy.ReasonClerkUnavailable},
		"session of unknown age":           {func(p *pieces) { p.created = func() (time.Time, error) { return time.Time{}, nil } }, policy.ReasonSessionTooOld},
		"authenticator panics":             {func(p *pieces) { p.authenticate = func(context.Context) policy.AuthState { panic("boom") } }, policy.ReasonPanic},
		"limiter panics":                   {func(p *pieces) { p.take = func([]policy.LimitResult) error { panic("boom") } }, policy.ReasonPanic},
		"revocations panic":                {func(p *pieces) { p.revoked = func() policy.Reason { panic("boom") } }, policy.ReasonPanic},
		"sessions panic":                   {func(p *pieces) { p.created = func() (time.Time, error) { panic("boom") } }, policy.ReasonPanic},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := goodPieces()
			c.spoil(p)
			d := p.decide(t, t.Context())
			if d.Allowed() || d.Reason != c.want {
				t.Errorf("%v %s (%v), want a refusal for %s", d.Outcome, d.Reason, d.Cause, c.want)
			}
			if d.Status < 400 || len(d.SetHeaders) > 0 {
				t.Errorf("status %d, headers %v", d.Status, d.SetHeaders)
			}
		})
	}
}

func (p *pieces) state(s policy.AuthState) {
	p.authenticate = func(context.Context) policy.AuthState { return s }
}

// A request that was given up does not pass, at whichever step that happened.
func TestACancelledRequestNeverPasses(t *testing.T) {
	t.Parallel()
	for name, at := range map[string]func(*pieces, func()){
		"before": func(_ *pieces, cancel func()) { cancel() },
		"while authenticating": func(p *pieces, cancel func()) {
			p.authenticate = func(context.Context) policy.AuthState { cancel(); return goodPieces().authenticate(nil) }
		},
		"while asking Clerk": func(p *pieces, cancel func()) {
			p.created = func() (time.Time, error) { cancel(); return instant, nil }
		},
		"while counting": func(p *pieces, cancel func()) {
			p.take = func(r []policy.LimitResult) error { cancel(); return goodPieces().take(r) }
		},
		"while looking revoked": func(p *pieces, cancel func()) { p.revoked = func() policy.Reason { cancel(); return "" } },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			ctx, cancel := context.WithCancel(t.Context())
			defer cancel()
			p := goodPieces()
			at(p, cancel)
			if d := p.decide(t, ctx); d.Allowed() {
				t.Errorf("passes: %s", d.Reason)
			}
		})
	}
}

// Shadow mode lets pass what would be refused, but no panic.
func TestShadowModeLetsNoPanicPass(t *testing.T) {
	t.Parallel()
	p := goodPieces()
	p.authenticate = func(context.Context) policy.AuthState { panic("boom") }
	config := guarded()
	config.Mode = policy.Shadow
	d := p.policy(t, config).Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x"})
	if d.Allowed() {
		t.Error("a panic passes")
	}
}

// An expression that runs away is stopped, and refuses.
func TestExpressionsAreBounded(t *testing.T) {
	t.Parallel()
	list := make([]any, 400)
	for i := range list {
		list[i] = float64(i)
	}
	p := goodPieces()
	principal := goodPrincipal()
	principal.Claims["list"] = list
	p.state(policy.AuthState{Status: policy.SignedIn, Principal: principal})
	config := policy.Config{Rules: []policy.Rule{{Name: "x", Match: policy.Match{Path: policy.StringList{"/x"}},
		Require: &policy.Requirement{Expression: "claims.list.all(a, claims.list.all(b, claims.list.all(c, a + b + c >= 0.0)))"}}}}
	d := p.policy(t, config).Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x"})
	if d.Allowed() || d.Reason != policy.ReasonExpressionFailed || d.Cause == nil {
		t.Errorf("%v %s: %v", d.Outcome, d.Reason, d.Cause)
	}
}

// All combinations of three conditions that are met, unmet or cannot be told:
// only all met passes, and under not only all-decided ones do.
func TestConditionsCombineWithAnd(t *testing.T) {
	t.Parallel()
	expressions := map[string]string{"met": "true", "unmet": "false", "undecided": "claims.missing == 1"}
	for a, ea := range expressions {
		for b, eb := range expressions {
			for c, ec := range expressions {
				config := policy.Config{Rules: []policy.Rule{{Name: "x", Match: policy.Match{Path: policy.StringList{"/x"}},
					Require: &policy.Requirement{All: []policy.Requirement{{Expression: ea}, {Expression: eb}, {Expression: ec}}}}}}
				negated := policy.Config{Rules: []policy.Rule{{Name: "x", Match: policy.Match{Path: policy.StringList{"/x"}},
					Require: &policy.Requirement{Not: &policy.Requirement{All: config.Rules[0].Require.All}}}}}
				words := strings.Join([]string{a, b, c}, " ")
				r := &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x"}
				if d := goodPieces().policy(t, config).Decide(t.Context(), r); d.Allowed() != (words == "met met met") {
					t.Errorf("%s: %v %s", words, d.Outcome, d.Reason)
				}
				decided := !strings.Contains(words, "undecided")
				if d := goodPieces().policy(t, negated).Decide(t.Context(), r); d.Allowed() != (decided && words != "met met met") {
					t.Errorf("not (%s): %v %s", words, d.Outcome, d.Reason)
				}
			}
		}
	}
}
