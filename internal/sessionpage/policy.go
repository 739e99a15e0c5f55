package sessionpage

import (
	"net/http"
	"time"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// perUser is the name of the limit that all routes share.
const perUser = "clerkgate-sessions"

// The rate limit of a user, which also bounds the calls to Clerk with our secret key.
const (
	requestsPerMinute = 60
	requestsAtOnce    = 30
	costOfChange      = 3
)

// newPolicy returns the policy that protects the page. It decides as the policy of the
// site does: the user must be signed in, by a session that is not revoked, and within
// the rate limit. Somebody who impersonates the user may list the sessions and sign out,
// but not end the user's sessions.
func newPolicy(o *Options) (*policy.Policy, error) {
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
		Default: policy.Default{Access: policy.Public}, // other paths do not get here; authorize requires a principal
	}, policy.Deps{
		Authenticator: o.Authenticator, Revocations: o.Revocations, Limiter: o.Limiter, Instance: o.Instance, Now: o.Now,
	})
}

// authorize evaluates the policy. If it does not allow the request, authorize has
// answered it and returns false.
func (q *pageRequest) authorize() bool {
	d := q.policy.Decide(q.r.Context(), q.options.Request(q.r))
	if !d.Allowed() {
		_ = httpgate.Answer(q.w, q.r, &d) // the client may be gone
		return false
	}
	p := d.Principal
	if p == nil || p.TokenType != policy.SessionToken || p.UserID == "" || !sessionID.MatchString(p.SessionID) {
		q.answerProblem(problemOf(policy.ReasonTokenType))
		return false
	}
	httpgate.AddFields(q.w.Header(), &d)
	q.principal = p
	return true
}
