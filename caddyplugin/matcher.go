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

// Matcher matches requests by their principal: the user or machine that a clerk_auth
// handler before it has authenticated in the same request. All of its conditions must
// be met, as those of `require` in a rule. A request without a principal never
// matches, not even a `not`: so use the matcher to allow something, and a rule of
// clerk_auth to deny it.
type Matcher struct {
	policy.Requirement

	// Match every request that has a principal. Default: false.
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
//			<requirement>        # each line is one; one of them must be met
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
	w := requirementSubdirectives(&m.Requirement)
	w["signed_in"] = boolFlag(&m.SignedIn)
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

// Provision compiles the requirement. Its error names what is not valid.
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
	v := exchangeOf(r)
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

// MatchWithError is Match. It returns no error: a requirement that cannot be evaluated
// does not match.
func (m *Matcher) MatchWithError(r *http.Request) (bool, error) { return m.Match(r), nil }

// Interface guards
var (
	_ caddy.Provisioner                 = (*Matcher)(nil)
	_ caddyhttp.RequestMatcherWithError = (*Matcher)(nil)
	_ caddyfile.Unmarshaler             = (*Matcher)(nil)
)
