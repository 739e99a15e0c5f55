package caddyplugin

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// visitVar is the request variable that holds the visit.
const visitVar = "clerk"

// visit is what clerk_auth established about one request: what placeholders,
// matchers and the log read. Where several handlers judged, the last one counts.
type visit struct {
	request  *http.Request
	decision policy.Decision
	id       string
}

// remember keeps the decision with the request.
func remember(r *http.Request, d policy.Decision) *visit {
	ctx := r.Context()
	repl, _ := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	v := visitOf(r)
	if v == nil {
		v = &visit{}
		caddyhttp.SetVar(ctx, visitVar, v)
		if repl != nil {
			repl.Map(v.placeholder)
		}
	}
	hadUser := v.decision.Principal != nil
	v.request, v.decision, v.id = r, d, ""
	switch {
	case repl == nil:
	case d.Principal != nil: // not by Map alone: what other modules set there comes first
		repl.Set("http.auth.user.id", d.Principal.UserID)
	case hadUser:
		repl.Delete("http.auth.user.id")
	}
	return v
}

// visitOf returns what is known about the request; nil where no clerk_auth has
// judged it.
func visitOf(r *http.Request) *visit {
	v, _ := caddyhttp.GetVar(r.Context(), visitVar).(*visit)
	return v
}

// String keeps {http.vars.clerk} from showing claims.
func (v *visit) String() string { return v.DecisionID() }

// placeholder is the value of one placeholder.
func (v *visit) placeholder(key string) (any, bool) {
	if name, ok := strings.CutPrefix(key, "http.clerk."); ok {
		return v.fact(name)
	}
	if name, ok := strings.CutPrefix(key, "http.auth.user."); ok && v.decision.Principal != nil {
		return identity(v.decision.Principal, name)
	}
	return nil, false
}

// fact is the value of {http.clerk.<name>}.
func (v *visit) fact(name string) (any, bool) {
	d := &v.decision
	switch name {
	case "outcome":
		return d.Outcome.String(), true
	case "reason":
		return string(d.Reason), true
	case "rule":
		return d.Rule, true
	case "client_ip":
		return d.Client.String(), true
	case "decision_id":
		return v.DecisionID(), true
	case "shadow":
		if d.Shadow == nil {
			return "", true
		}
		return string(d.Shadow.Reason), true
	}
	if path, ok := strings.CutPrefix(name, "claims."); ok {
		return claim(d.Principal, path), true
	}
	return nil, false
}

// identity is the value of {http.auth.user.<name>}: an attribute, of which Caddy's
// own word for user_id is id.
func identity(p *policy.Principal, name string) (any, bool) {
	if name == "id" {
		return p.UserID, true
	}
	attribute, ok := policy.AttributeNamed(name)
	if !ok {
		return nil, false
	}
	return attribute.Text(p), true
}

// claim is a claim by its path; what is not there is empty.
func claim(p *policy.Principal, path string) any {
	if p == nil {
		return ""
	}
	if value := p.Claim(path); value != nil {
		return value
	}
	return ""
}

// DecisionID is made when it is first asked for.
func (v *visit) DecisionID() string {
	if v.id == "" {
		v.id = rand.Text()
	}
	return v.id
}

// Method implements [observe.Exchange].
func (v *visit) Method() string { return v.request.Method }

// Path implements [observe.Exchange].
func (v *visit) Path() string { return v.request.URL.EscapedPath() }

// ForwardedFor implements [observe.Exchange].
func (v *visit) ForwardedFor() string { return v.request.Header.Get("X-Forwarded-For") }
