package caddyplugin

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// exchangeVar is the request variable that holds the exchange.
const exchangeVar = "clerk"

// exchange is a request with the decision that clerk_auth made about it, which
// placeholders, matchers and the log read. Where several clerk_auth handlers decided,
// it is the last decision.
type exchange struct {
	request  *http.Request
	decision policy.Decision
	id       string
}

// storeDecision stores the decision in the variables of the request, and sets the
// placeholders.
func storeDecision(r *http.Request, d policy.Decision) *exchange {
	ctx := r.Context()
	repl, _ := ctx.Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	v := exchangeOf(r)
	if v == nil {
		v = &exchange{}
		caddyhttp.SetVar(ctx, exchangeVar, v)
		if repl != nil {
			repl.Map(v.placeholder)
		}
	}
	hadUser := v.decision.Principal != nil
	v.request, v.decision, v.id = r, d, ""
	switch {
	case repl == nil:
	case d.Principal != nil: // not by Map alone: values that other modules set take precedence over it
		repl.Set("http.auth.user.id", d.Principal.UserID)
	case hadUser:
		repl.Delete("http.auth.user.id")
	}
	return v
}

// exchangeOf returns the stored decision of the request; nil where no clerk_auth has
// decided about it.
func exchangeOf(r *http.Request) *exchange {
	v, _ := caddyhttp.GetVar(r.Context(), exchangeVar).(*exchange)
	return v
}

// String returns the decision ID, so that {http.vars.clerk} does not expose claims.
func (x *exchange) String() string { return x.DecisionID() }

// placeholder returns the value of one placeholder, and whether it is one of ours.
func (x *exchange) placeholder(key string) (any, bool) {
	if name, ok := strings.CutPrefix(key, "http.clerk."); ok {
		return x.decisionField(name)
	}
	if name, ok := strings.CutPrefix(key, "http.auth.user."); ok && x.decision.Principal != nil {
		return principalField(x.decision.Principal, name)
	}
	return nil, false
}

// decisionField returns the value of {http.clerk.<name>}.
func (x *exchange) decisionField(name string) (any, bool) {
	d := &x.decision
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
		return x.DecisionID(), true
	case "shadow":
		if d.Shadow == nil {
			return "", true
		}
		return string(d.Shadow.Reason), true
	}
	if path, ok := strings.CutPrefix(name, "claims."); ok {
		return claimValue(d.Principal, path), true
	}
	return nil, false
}

// principalField returns the value of {http.auth.user.<name>}: an attribute of the
// principal. Caddy's own name for user_id is id.
func principalField(p *policy.Principal, name string) (any, bool) {
	if name == "id" {
		return p.UserID, true
	}
	attribute, ok := policy.AttributeNamed(name)
	if !ok {
		return nil, false
	}
	return attribute.Text(p), true
}

// claimValue returns a claim by its path; "" where there is none.
func claimValue(p *policy.Principal, path string) any {
	if p == nil {
		return ""
	}
	if value := p.Claim(path); value != nil {
		return value
	}
	return ""
}

// DecisionID returns a random ID. It is made by the first call, and is then the same.
func (x *exchange) DecisionID() string {
	if x.id == "" {
		x.id = rand.Text()
	}
	return x.id
}

// Method implements [observe.Exchange].
func (x *exchange) Method() string { return x.request.Method }

// Path implements [observe.Exchange].
func (x *exchange) Path() string { return x.request.URL.EscapedPath() }

// ForwardedFor implements [observe.Exchange].
func (x *exchange) ForwardedFor() string { return x.request.Header.Get("X-Forwarded-For") }
