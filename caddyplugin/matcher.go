package caddyplugin

import (
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

	condition *policy.Condition
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

// Provision compiles the requirement.
func (m *Matcher) Provision(caddy.Context) error {
	if m.SignedIn && reflect.ValueOf(m.Requirement).IsZero() {
		return nil
	}
	expanded, err := expand(setup.Config{Config: policy.Config{Rules: []policy.Rule{{Require: &m.Requirement}}}})
	if err != nil {
		return err
	}
	m.condition, err = policy.CompileRequirement(*expanded.Rules[0].Require)
	if err != nil {
		return fmt.Errorf("clerk matcher: %w", err)
	}
	return nil
}

// Match reports whether the principal of the request meets the requirement.
func (m *Matcher) Match(r *http.Request) bool {
	v := visitOf(r)
	if v == nil || v.decision.Principal == nil {
		return false
	}
	if m.condition == nil {
		return m.SignedIn
	}
	var request *policy.Request
	if m.condition.ReadsRequest() {
		request = policyRequest(r)
	}
	return m.condition.IsMet(r.Context(), v.decision.Principal, request, time.Now())
}

// MatchWithError is Match: what cannot be told does not match.
func (m *Matcher) MatchWithError(r *http.Request) (bool, error) { return m.Match(r), nil }

// Interface guards
var (
	_ caddy.Provisioner                 = (*Matcher)(nil)
	_ caddyhttp.RequestMatcherWithError = (*Matcher)(nil)
	_ caddyfile.Unmarshaler             = (*Matcher)(nil)
)
