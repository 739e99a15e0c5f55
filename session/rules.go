package session

import (
	"math"
	"slices"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// maxInstant is the end of year 9999, in Unix seconds.
const maxInstant = 253402300799

// checkClaims compares the claims of a verified token with the rules and the
// time. It is run for every request, also for tokens seen before.
func (r *Rules) checkClaims(claims map[string]any, now time.Time) error {
	if err := r.checkIdentity(claims); err != nil {
		return err
	}
	if !r.audience(claims["aud"]) {
		return refuse(policy.ReasonTokenVerification, "claim aud names none of the configured audiences")
	}
	if err := r.authorizedParty(claims["azp"]); err != nil {
		return err
	}
	if !r.issuer(claims["iss"]) {
		return refuse(policy.ReasonIssuer, "claim iss is not the Frontend API of this instance")
	}
	if err := r.checkTimes(claims, now); err != nil {
		return err
	}
	return r.checkStatus(claims)
}

// checkIdentity wants a subject, and a session id that is one where there is
// one.
func (r *Rules) checkIdentity(claims map[string]any) error {
	sub, ok := claims["sub"].(string)
	if !ok || !r.relaxed.Claims && !isIdentifier(sub) {
		return refuse(policy.ReasonTokenVerification, "claim sub is not an id")
	}
	if sid, present := claims["sid"]; present && !r.relaxed.Claims && !isIdentifier(sid) {
		return refuse(policy.ReasonTokenVerification, "claim sid is not an id")
	}
	return nil
}

func (r *Rules) issuer(iss any) bool {
	if r.relaxed.Issuer && len(r.Issuers) == 0 {
		return true
	}
	text, ok := iss.(string)
	return ok && slices.Contains(r.Issuers, text)
}

// authorizedParty wants a token to be for an application of the site. A token
// without the claim is for none.
func (r *Rules) authorizedParty(azp any) error {
	text, _ := azp.(string)
	switch {
	case len(r.AuthorizedParties) == 0:
		return nil
	case text == "":
		return refuse(policy.ReasonTokenParties, "the token names no application (claim azp)")
	case !isParty(r.AuthorizedParties, text, r.relaxed):
		return refuse(policy.ReasonTokenParties, "claim azp is not among the authorized parties")
	}
	return nil
}

// audience follows Clerk in letting tokens without an audience pass.
func (r *Rules) audience(aud any) bool {
	if len(r.Audience) == 0 {
		return true
	}
	switch v := aud.(type) {
	case nil:
		return true
	case string:
		return v == "" || slices.Contains(r.Audience, v)
	case []any:
		return r.audienceList(v)
	}
	return r.relaxed.Audience
}

func (r *Rules) audienceList(list []any) bool {
	given, found := 0, false
	for _, element := range list {
		text, ok := element.(string)
		if !ok {
			return r.relaxed.Audience
		}
		if text != "" {
			given++
			found = found || slices.Contains(r.Audience, text)
		}
	}
	return given == 0 || found
}

// checkTimes compares claims exp, nbf and iat (RFC 7519 § 4.1) with now, in
// milliseconds. Only exp is required.
func (r *Rules) checkTimes(claims map[string]any, now time.Time) error {
	earliest := float64(now.Add(-r.Leeway).UnixMilli())
	latest := float64(now.Add(r.Leeway).UnixMilli())
	exp, present, ok := r.instant(claims, "exp")
	switch {
	case !ok || !present:
		return refuse(policy.ReasonTokenVerification, "claim exp is not a time")
	case exp <= earliest:
		return refuse(policy.ReasonTokenExpired, "claim exp has passed")
	}
	switch nbf, _, ok := r.instant(claims, "nbf"); {
	case !ok:
		return refuse(policy.ReasonTokenVerification, "claim nbf is not a time")
	case nbf > latest:
		return refuse(policy.ReasonTokenNotActive, "claim nbf is to come")
	}
	switch iat, _, ok := r.instant(claims, "iat"); {
	case !ok:
		return refuse(policy.ReasonTokenVerification, "claim iat is not a time")
	case iat > latest:
		return refuse(policy.ReasonTokenFromFuture, "claim iat is to come")
	}
	return nil
}

// instant returns a claim in Unix milliseconds. It is ok for a claim to be
// absent; an absent one is long past.
func (r *Rules) instant(claims map[string]any, name string) (ms float64, present, ok bool) {
	value, present := claims[name]
	if !present {
		return math.Inf(-1), false, true
	}
	seconds, ok := value.(float64)
	if r.relaxed.Times {
		return referenceInstant(seconds), true, ok
	}
	return seconds * 1000, true, ok && 0 <= seconds && seconds <= maxInstant
}

// referenceInstant is what JavaScript's Date makes of a number of seconds: what it
// cannot hold is neither before nor after anything.
func referenceInstant(seconds float64) float64 {
	const most = 8.64e15 // ECMAScript § 21.4.1.1
	if ms := math.Trunc(seconds) * 1000; math.Abs(ms) <= most {
		return ms
	}
	return math.NaN()
}

// checkStatus refuses sessions with unfinished tasks, and statuses it does not
// know.
func (r *Rules) checkStatus(claims map[string]any) error {
	switch sts, present := claims["sts"]; {
	case !present || sts == "active":
		return nil
	case sts == "pending":
		return refuse(policy.ReasonSessionPending, "claim sts is pending")
	case r.relaxed.Claims:
		return nil
	}
	return refuse(policy.ReasonTokenVerification, "claim sts is not active")
}

// isIdentifier reports whether v is the text of an id: 1 to 255 characters that
// are safe in headers, paths and logs.
func isIdentifier(v any) bool {
	text, ok := v.(string)
	if !ok || len(text) == 0 || len(text) > 255 {
		return false
	}
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '-', c == '.', c == ':', c == '@', c == '|':
		default:
			return false
		}
	}
	return true
}
