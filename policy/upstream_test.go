package policy_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

// mint makes tokens and assertions, and counts.
type mint struct {
	token      func(template string) (string, policy.Reason, error)
	assertion  func() (string, error)
	tokens     []string // templates asked for
	assertions int
}

func goodMint() *mint {
	return &mint{
		token:     func(template string) (string, policy.Reason, error) { return "token." + template + ".sig", "", nil },
		assertion: func() (string, error) { return "an.assertion.sig", nil },
	}
}

func (m *mint) Token(_ context.Context, _ *policy.Principal, template string, _ time.Time) (string, policy.Reason, error) {
	m.tokens = append(m.tokens, template)
	return m.token(template)
}

func (m *mint) Assertion(*policy.Principal, time.Time) (string, error) {
	m.assertions++
	return m.assertion()
}

// policy compiles a configuration in which everybody is who, and m mints.
func (m *mint) policy(t *testing.T, config policy.Config, who *policy.Principal) *policy.Policy {
	t.Helper()
	all := as(who)
	p, err := policy.New(config, policy.Deps{Authenticator: all, Limiter: all, Tokens: m, Assertions: m, Now: func() time.Time { return instant }})
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// minting is a configuration in which /x is guarded for admins and /open is
// public.
func minting(token *policy.UpstreamToken, assertion *policy.Assertion) policy.Config {
	config := rules(
		policy.Rule{Name: "x", Match: paths("/x"), Require: requireRole("org:admin"), Accept: policy.TokenTypes{policy.AnyToken}},
		policy.Rule{Name: "open", Match: paths("/open"), Access: policy.Public},
		policy.Rule{Name: "past", Match: paths("/past"), Access: policy.Bypass},
	)
	config.UpstreamToken, config.Assertion = token, assertion
	return config
}

func field(name, value string) policy.Header { return policy.Header{Name: name, Value: value} }

// upstreamOf is what the upstream receives of one field.
func upstreamOf(r *policy.Request, d *policy.Decision, name string) []string {
	return edited(r.Headers, d).Values(name)
}

func TestTheUpstreamReceivesATokenOfItsOwn(t *testing.T) {
	t.Parallel()
	sent := []policy.Header{field("Authorization", "Bearer users.own.token"), field("X-Hasura-Token", "forged"), field("x_hasura_token", "forged")}
	machine := &policy.Principal{TokenType: policy.APIKey, UserID: "user_k", OrgRole: "org:admin", OrgID: "org_1"}
	for name, c := range map[string]struct {
		token         policy.UpstreamToken
		who           *policy.Principal
		target        string
		authorization string
		named         string
		asked         []string
	}{
		"as Authorization":                    {policy.UpstreamToken{Template: "hasura"}, admin(), "/x", "Bearer token.hasura.sig", "", []string{"hasura"}},
		"in a header of its own":              {policy.UpstreamToken{Template: "hasura", Header: "x-hasura-token"}, admin(), "/x", "Bearer users.own.token", "token.hasura.sig", []string{"hasura"}},
		"on a public rule":                    {policy.UpstreamToken{Template: "hasura", Header: "X-Hasura-Token"}, admin(), "/open", "Bearer users.own.token", "token.hasura.sig", []string{"hasura"}},
		"not for a machine":                   {policy.UpstreamToken{Template: "hasura", Header: "X-Hasura-Token"}, machine, "/x", "Bearer users.own.token", "", nil},
		"not for nobody":                      {policy.UpstreamToken{Template: "hasura", Header: "X-Hasura-Token"}, nil, "/open", "Bearer users.own.token", "", nil},
		"not past the policy":                 {policy.UpstreamToken{Template: "hasura", Header: "X-Hasura-Token"}, admin(), "/past", "Bearer users.own.token", "", nil},
		"not for nobody, as Authorization":    {policy.UpstreamToken{Template: "hasura"}, nil, "/open", "Bearer users.own.token", "", nil},
		"not for a machine, as Authorization": {policy.UpstreamToken{Template: "hasura"}, machine, "/x", "Bearer users.own.token", "", nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m, r := goodMint(), get(c.target, sent[:1]...)
			if c.token.Header != "" {
				r = get(c.target, sent...)
			}
			d := m.policy(t, minting(&c.token, nil), c.who).Decide(t.Context(), r)
			if !d.Allowed() {
				t.Fatalf("%s: %v", d.Reason, d.Cause)
			}
			for name, want := range map[string]string{"Authorization": c.authorization, "X-Hasura-Token": c.named, "X_hasura_token": ""} {
				corpus.CheckField(t, "upstream", name, upstreamOf(r, &d, name), want)
			}
			if diff := cmp.Diff(c.asked, m.tokens); diff != "" {
				t.Errorf("templates asked for (-want +got):\n%s", diff)
			}
			noNameTwice(t, &d)
		})
	}
}

// noNameTwice holds a decision to its promise.
func noNameTwice(t *testing.T, d *policy.Decision) {
	t.Helper()
	var names []string
	for _, h := range d.SetHeaders {
		names = append(names, strings.ToLower(h.Name))
	}
	for _, name := range d.RemoveHeaders {
		names = append(names, strings.ToLower(name))
	}
	slices.Sort(names)
	if len(slices.Compact(slices.Clone(names))) != len(names) {
		t.Errorf("a header is edited twice: %v", names)
	}
}

func TestWithoutItsTokenNoRequestPasses(t *testing.T) {
	t.Parallel()
	failure := errors.New("it broke")
	for name, c := range map[string]struct {
		text   string
		reason policy.Reason
		want   policy.Reason
	}{
		"an outage":                       {"", policy.ReasonClerkUnavailable, policy.ReasonClerkUnavailable},
		"the session is gone":             {"", policy.ReasonSessionRevoked, policy.ReasonSessionRevoked},
		"another organization":            {"", policy.ReasonOrganizationRequired, policy.ReasonOrganizationRequired},
		"no token and no reason":          {"", "", policy.ReasonClerkUnavailable},
		"a reason that stands for a pass": {"a.b.c", policy.ReasonAllowed, policy.ReasonClerkUnavailable},
		"a token beside a reason":         {"a.b.c", policy.ReasonSessionRevoked, policy.ReasonSessionRevoked},
		"a token of two lines":            {"a.b.c\r\nX-Role: admin", "", policy.ReasonClerkUnavailable},
		"a token with space":              {"a.b c", "", policy.ReasonClerkUnavailable},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := goodMint()
			m.token = func(string) (string, policy.Reason, error) { return c.text, c.reason, failure }
			p := m.policy(t, minting(&policy.UpstreamToken{Template: "hasura"}, &policy.Assertion{}), admin())
			d := p.Decide(t.Context(), get("/x"))
			if d.Allowed() || d.Reason != c.want || d.Status != c.want.Status() || d.Cause != failure || len(d.SetHeaders) > 0 || m.assertions > 0 {
				t.Errorf("%v %s, cause %v, headers %v", d.Outcome, d.Reason, d.Cause, d.SetHeaders)
			}
			d = p.Decide(t.Context(), get("/open"))
			if d.Reason != policy.ReasonPublic || d.Principal != nil || len(d.SetHeaders) > 0 {
				t.Errorf("public, as anonymous: %s, %v, headers %v", d.Reason, d.Principal, d.SetHeaders)
			}
		})
	}
}

func TestAPanicOfWhatMintsRefuses(t *testing.T) {
	t.Parallel()
	for name, spoil := range map[string]func(*mint){
		"tokens":     func(m *mint) { m.token = func(string) (string, policy.Reason, error) { panic("boom") } },
		"assertions": func(m *mint) { m.assertion = func() (string, error) { panic("boom") } },
	} {
		m := goodMint()
		spoil(m)
		if d := m.policy(t, minting(&policy.UpstreamToken{Template: "hasura"}, &policy.Assertion{}), admin()).Decide(t.Context(), get("/x")); d.Allowed() || d.Reason != policy.ReasonPanic {
			t.Errorf("%s: %s", name, d.Reason)
		}
	}
}

func TestNothingIsMintedForWhatDoesNotPass(t *testing.T) {
	t.Parallel()
	for _, mode := range []policy.Mode{policy.Enforce, policy.Shadow} {
		m := goodMint()
		config := minting(&policy.UpstreamToken{Template: "hasura"}, &policy.Assertion{})
		config.Mode = mode
		d := m.policy(t, config, member()).Decide(t.Context(), get("/x", field("X-Clerkgate-Assertion", "forged")))
		if len(m.tokens) > 0 || m.assertions > 0 {
			t.Errorf("%s: %s, but %v and %d assertions were made", mode, d.Reason, m.tokens, m.assertions)
		}
		if mode == policy.Shadow && (d.Reason != policy.ReasonShadow || !slices.Contains(d.RemoveHeaders, "X-Clerkgate-Assertion")) {
			t.Errorf("%s, removed %v", d.Reason, d.RemoveHeaders)
		}
	}
}

func TestTheUpstreamReceivesAnAssertion(t *testing.T) {
	t.Parallel()
	sent := []policy.Header{field("X-Clerkgate-Assertion", "forged"), field("X_Clerkgate.Assertion", "forged")}
	machine := &policy.Principal{TokenType: policy.M2MToken, MachineID: "mch_1", OrgRole: "org:admin", OrgID: "org_1"}
	for name, c := range map[string]struct {
		who    *policy.Principal
		target string
		want   string
	}{
		"for a session":    {admin(), "/x", "an.assertion.sig"},
		"for a machine":    {machine, "/x", "an.assertion.sig"},
		"on a public rule": {admin(), "/open", "an.assertion.sig"},
		"not for nobody":   {nil, "/open", ""},
		"not past it all":  {admin(), "/past", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(c.target, sent...)
			d := goodMint().policy(t, minting(nil, &policy.Assertion{}), c.who).Decide(t.Context(), r)
			if !d.Allowed() {
				t.Fatalf("%s: %v", d.Reason, d.Cause)
			}
			corpus.CheckField(t, "upstream", "X-Clerkgate-Assertion", upstreamOf(r, &d, "X-Clerkgate-Assertion"), c.want)
			corpus.CheckField(t, "upstream", "X_Clerkgate.Assertion", upstreamOf(r, &d, "X_Clerkgate.Assertion"), "")
			noNameTwice(t, &d)
		})
	}
}

func TestWithoutItsAssertionNoRequestPasses(t *testing.T) {
	t.Parallel()
	failure := errors.New("no entropy")
	m := goodMint()
	m.assertion = func() (string, error) { return "an.assertion.sig", failure }
	for _, target := range []string{"/x", "/open"} {
		d := m.policy(t, minting(nil, &policy.Assertion{}), admin()).Decide(t.Context(), get(target))
		if d.Allowed() || d.Reason != policy.ReasonAssertionFailed || d.Cause != failure {
			t.Errorf("%s: %v %s, cause %v", target, d.Outcome, d.Reason, d.Cause)
		}
	}
}

// The edits of one request must not show in those of the next.
func TestMintedHeadersAreNotShared(t *testing.T) {
	t.Parallel()
	m, n := goodMint(), 0
	m.token = func(string) (string, policy.Reason, error) { n++; return fmt.Sprintf("a.%d.c", n), "", nil }
	config := minting(&policy.UpstreamToken{Template: "hasura"}, &policy.Assertion{})
	config.StripCredentials = true
	p := m.policy(t, config, admin())
	first := p.Decide(t.Context(), get("/x"))
	before := slices.Clone(first.SetHeaders)
	second := p.Decide(t.Context(), get("/x", field("Cookie", "__session=x; a=1")))
	if diff := cmp.Diff(before, first.SetHeaders); diff != "" {
		t.Errorf("a later request changed an earlier one (-before +after):\n%s", diff)
	}
	if slices.ContainsFunc(second.SetHeaders, func(h policy.Header) bool { return h.Value == "Bearer a.1.c" }) {
		t.Errorf("upstream fields %v", second.SetHeaders)
	}
	noNameTwice(t, &second)
}

// What strips and mints on every request costs a few small copies.
func BenchmarkDecideMinted(b *testing.B) {
	config := minting(&policy.UpstreamToken{Template: "hasura"}, &policy.Assertion{})
	config.StripCredentials = true
	p, err := policy.New(config, policy.Deps{Authenticator: known{admin()}, Tokens: constant{}, Assertions: constant{}, Now: time.Now})
	if err != nil {
		b.Fatal(err)
	}
	r := get("/x", append(browserHeaders(), field("Authorization", "Bearer users.own.token"))...)
	b.ReportAllocs()
	for b.Loop() {
		if d := p.Decide(b.Context(), r); !d.Allowed() {
			b.Fatal(d.Reason)
		}
	}
}

// constant makes the same every time.
type constant struct{}

func (constant) Token(context.Context, *policy.Principal, string, time.Time) (string, policy.Reason, error) {
	return "a.b.c", "", nil
}

func (constant) Assertion(*policy.Principal, time.Time) (string, error) { return "d.e.f", nil }
