package caddyplugin

import (
	"crypto/rand"
	"net/http"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"go.uber.org/zap"
	"go.uber.org/zap/zapcore"

	"github.com/clerkgate/clerkgate/policy"
)

// visitVar is the request variable that holds the visit.
const visitVar = "clerk"

// visit is what clerk_auth established about one request: what placeholders,
// matchers and the log read. Where several handlers judged, the last one counts.
type visit struct {
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
	v.decision, v.id = d, ""
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
func (v *visit) String() string { return v.decisionID() }

// decisionID is made when first asked for.
func (v *visit) decisionID() string {
	if v.id == "" {
		v.id = rand.Text()
	}
	return v.id
}

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
		return v.decisionID(), true
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

// identity is the value of {http.auth.user.<name>}.
func identity(p *policy.Principal, name string) (any, bool) {
	switch name {
	case "id":
		return p.UserID, true
	case "session_id":
		return p.SessionID, true
	case "org_id":
		return p.OrgID, true
	case "org_slug":
		return p.OrgSlug, true
	case "org_role":
		return p.OrgRole, true
	case "token_type":
		return string(p.TokenType), true
	case "actor":
		return p.Actor, true
	case "machine_id":
		return p.MachineID, true
	case "client_id":
		return p.ClientID, true
	}
	return nil, false
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

// log writes the decision: faults as errors, refusals at info, passes at debug.
// Never a token.
func (v *visit) log(logger *zap.Logger) {
	d := &v.decision
	level, message := zapcore.DebugLevel, "request may pass"
	switch {
	case d.Outcome == policy.Error:
		level, message = zapcore.ErrorLevel, "request cannot be decided"
	case !d.Allowed():
		level, message = zapcore.InfoLevel, "request refused"
	case d.Shadow != nil:
		level, message = zapcore.InfoLevel, "request would be refused, but the policy only watches"
	}
	c := logger.Check(level, message)
	if c == nil {
		return
	}
	told := d
	if d.Shadow != nil {
		told = d.Shadow
	}
	c.Write(
		zap.String("rule", told.Rule),
		zap.String("reason", string(told.Reason)),
		zap.Stringer("outcome", told.Outcome),
		zap.Int("status", told.Status),
		zap.Stringer("client", d.Client),
		zap.String("decision_id", v.decisionID()),
		zap.NamedError("cause", told.Cause),
	)
}
