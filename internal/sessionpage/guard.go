package sessionpage

import (
	"net/http"
	"time"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// perUser is the name of the limit that all routes share.
const perUser = "clerkgate-sessions"

// The limit's numbers: a person clicks, a program polls, and neither gets far
// with calls to Clerk in our name.
const (
	requestsPerMinute = 60
	requestsAtOnce    = 30
	costOfChange      = 3
)

// newGuard makes the policy that the page itself is behind. It decides as the
// policy of the site does: who is signed in, that the session has not ended, and
// how often they may ask. Whoever acts as somebody else may look and sign out,
// but not end the sessions of the person they act as.
func newGuard(o *Options) (*policy.Policy, error) {
	limits := policy.StringList{perUser}
	below := policy.StringList{o.Prefix + "/(.*)"}
	return policy.New(policy.Config{
		TrustedProxies: o.TrustedProxies,
		Preflight:      "judge",
		Limits: map[string]policy.Limit{perUser: {
			Algorithm: policy.TokenBucket, Limit: requestsPerMinute, Burst: requestsAtOnce, Window: policy.Duration(time.Minute),
			Key: policy.StringList{"user"}, Cost: policy.Cost{http.MethodPost: costOfChange, "any": 1},
		}},
		Rules: []policy.Rule{
			{Name: "sign-out", Limits: limits, Match: policy.Match{Path: policy.StringList{o.Prefix + "/sign-out"}}},
			{Name: "end-sessions", Limits: limits, Match: policy.Match{Path: below, Method: policy.StringList{http.MethodPost}},
				Require: &policy.Requirement{Actor: "forbidden"}},
			{Name: "sessions", Limits: limits, Match: policy.Match{Path: append(policy.StringList{o.Prefix}, below...)}},
		},
		Default: policy.Default{Access: policy.Public}, // other paths are not ours to answer; see enter
	}, policy.Deps{
		Authenticator: o.Authenticator, Revocations: o.Revocations, Limiter: o.Limiter, Instance: o.Instance, Now: o.Now,
	})
}

// enter asks the guard. Where somebody may not come in, it has answered.
func (v *visit) enter() bool {
	d := v.guard.Decide(v.r.Context(), v.options.Request(v.r))
	if !d.Allowed() {
		_ = httpgate.Answer(v.w, v.r, &d) // the client may be gone
		return false
	}
	p := d.Principal
	if p == nil || p.TokenType != policy.SessionToken || p.UserID == "" || !sessionID.MatchString(p.SessionID) {
		v.refuse(problemOf(policy.ReasonTokenType))
		return false
	}
	httpgate.AddFields(v.w.Header(), &d)
	v.who = p
	return true
}
