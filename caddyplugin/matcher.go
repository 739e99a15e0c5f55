package caddyplugin

import (
	"context"
	"fmt"
	"net/http"
	"reflect"
	"time"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

func init() {
	caddy.RegisterModule(Matcher{})
}

// Matcher matches requests by who makes them: all that is written must be met,
// as under `require` in a rule. It looks at the principal that a clerk_auth
// handler before it has established in the same request. Without one it never
// matches, not even where it says `not`, so use it to open something and not to
// close it.
type Matcher struct {
	policy.Requirement

	// Somebody is signed in, whoever it is.
	SignedIn bool `json:"signed_in,omitempty"`

	policy *policy.Policy
}

// CaddyModule returns the Caddy module information.
func (Matcher) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "http.matchers.clerk",
		New: func() caddy.Module { return new(Matcher) },
	}
}

// UnmarshalCaddyfile sets up the matcher from Caddyfile tokens. Syntax:
//
//	clerk signed_in
//	clerk <requirement>
//	clerk {
//		role         <roles...>
//		permission   <permissions...>
//		feature      <features...>
//		plan         <plans...>
//		organization id|slug <values...>
//		user         <ids...>
//		claim        <path> <values...>
//		actor        forbidden|required
//		expression   <cel>
//		any {
//			<requirement>        # each line is one, any will do
//		}
//		all {
//			<requirement>
//		}
//		not <requirement>
//		not {
//			<requirements...>
//		}
//	}
func (m *Matcher) UnmarshalCaddyfile(d *caddyfile.Dispenser) error { return withoutSecrets(m.read(d)) }

func (m *Matcher) read(d *caddyfile.Dispenser) error {
	seen := map[string]bool{}
	w := requirementWords(&m.Requirement)
	w["signed_in"] = bare(&m.SignedIn)
	for d.Next() {
		if d.NextArg() {
			if err := w.line(d, "clerk", seen); err != nil {
				return err
			}
		}
		for nesting := d.Nesting(); d.NextBlock(nesting); {
			if err := w.line(d, "clerk", seen); err != nil {
				return err
			}
		}
	}
	if len(seen) == 0 {
		return d.ArgErr()
	}
	return nil
}

// Provision compiles the requirement: a policy of one rule, which knows who is
// asking from the request.
func (m *Matcher) Provision(caddy.Context) error {
	if m.SignedIn && reflect.ValueOf(m.Requirement).IsZero() {
		return nil
	}
	expanded, err := expand(setup.Config{Config: policy.Config{
		Rules:     []policy.Rule{{Name: "clerk", Match: policy.Match{Path: policy.StringList{"/(.*)"}}, Accept: policy.TokenTypes{policy.AnyToken}, Require: &m.Requirement}},
		Default:   policy.Default{Access: policy.DenyAccess},
		Preflight: "judge",
	}})
	if err != nil {
		return err
	}
	m.policy, err = policy.New(expanded.Config, policy.Deps{Authenticator: known{}, Now: time.Now})
	if err != nil {
		return fmt.Errorf("clerk matcher: %w", explain(expanded, err))
	}
	return nil
}

// Match reports whether the principal of the request meets the requirement.
func (m *Matcher) Match(r *http.Request) bool {
	v := visitOf(r)
	if v == nil || v.decision.Principal == nil {
		return false
	}
	if m.policy == nil {
		return m.SignedIn
	}
	ctx := context.WithValue(r.Context(), principalKey{}, v.decision.Principal)
	d := m.policy.Decide(ctx, policyRequest(r))
	return d.Allowed()
}

// MatchWithError is Match: what cannot be told does not match.
func (m *Matcher) MatchWithError(r *http.Request) (bool, error) { return m.Match(r), nil }

// principalKey is where a context holds the principal that is known.
type principalKey struct{}

// known signs in whoever the context names.
type known struct{}

func (known) Authenticate(ctx context.Context, _ *policy.Request, _ policy.TokenTypes, _ time.Time) policy.AuthState {
	p, ok := ctx.Value(principalKey{}).(*policy.Principal)
	if !ok {
		return policy.AuthState{Reason: policy.ReasonSessionMissing}
	}
	return policy.AuthState{Status: policy.SignedIn, Principal: p, Presented: true}
}

// Interface guards
var (
	_ caddy.Provisioner                 = (*Matcher)(nil)
	_ caddyhttp.RequestMatcherWithError = (*Matcher)(nil)
	_ caddyfile.Unmarshaler             = (*Matcher)(nil)
)
