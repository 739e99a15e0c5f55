package jwt

import (
	"math"
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// Expected says what the claims of a token must be for a [Verifier] to accept it. The
// zero value accepts no token.
type Expected struct {
	// Issuers are the values one of which claim iss must equal.
	Issuers []string
	// AuthorizedParties are the origins one of which claim azp must name; "*." at the
	// start of a host stands for one label or more. Empty accepts any and none.
	AuthorizedParties []string
	// Audience are the values one of which claim aud must contain, where a token has
	// that claim; empty accepts any.
	Audience []string
	// Leeway is how far the clock may differ from Clerk's.
	Leeway time.Duration
	// ReferenceCompat decides as Clerk's own library does, to the letter, on every point
	// where the default is stricter. Without issuers, claim iss is then not compared.
	// For comparing, not for production.
	ReferenceCompat bool

	relaxed compat.Relaxations
}

// resolved returns what is expected with the points that are relaxed.
func (e Expected) resolved() Expected {
	e.relaxed = compat.Of(e.ReferenceCompat)
	return e
}

// checkClaims checks the claims of a verified token, and the time. It runs for every
// request, also for tokens in the cache.
func (e *Expected) checkClaims(claims map[string]any, now time.Time) error {
	if err := e.checkIdentity(claims); err != nil {
		return err
	}
	if !e.audience(claims["aud"]) {
		return NewError(policy.ReasonTokenVerification, "claim aud names none of the configured audiences")
	}
	if err := e.authorizedParty(claims["azp"]); err != nil {
		return err
	}
	if !e.issuer(claims["iss"]) {
		return NewError(policy.ReasonIssuer, "claim iss is not the Frontend API of this instance")
	}
	if err := e.checkTimes(claims, now); err != nil {
		return err
	}
	return e.checkStatus(claims)
}

// checkIdentity requires a subject, and that a session ID, if there is one, is well
// formed.
func (e *Expected) checkIdentity(claims map[string]any) error {
	sub, ok := claims["sub"].(string)
	if !ok || !e.relaxed.Claims && !claim.IsIdentifier(sub) {
		return NewError(policy.ReasonTokenVerification, "claim sub is not an id")
	}
	if sid, present := claims["sid"]; present && !e.relaxed.Claims && !claim.IsIdentifier(sid) {
		return NewError(policy.ReasonTokenVerification, "claim sid is not an id")
	}
	return nil
}

func (e *Expected) issuer(iss any) bool {
	if e.relaxed.Issuer && len(e.Issuers) == 0 {
		return true
	}
	text, ok := iss.(string)
	return ok && slices.Contains(e.Issuers, text)
}

// authorizedParty requires that a token is for an application of the site. A token
// without the claim is for none.
func (e *Expected) authorizedParty(azp any) error {
	text, _ := azp.(string)
	switch {
	case len(e.AuthorizedParties) == 0:
		return nil
	case text == "":
		return NewError(policy.ReasonTokenParties, "the token names no application (claim azp)")
	case !isParty(e.AuthorizedParties, text, e.relaxed):
		return NewError(policy.ReasonTokenParties, "claim azp is not among the authorized parties")
	}
	return nil
}

// audience follows Clerk in letting tokens without an audience pass.
func (e *Expected) audience(aud any) bool {
	if len(e.Audience) == 0 {
		return true
	}
	switch v := aud.(type) {
	case nil:
		return true
	case string:
		return v == "" || slices.Contains(e.Audience, v)
	case []any:
		return e.audienceList(v)
	}
	return e.relaxed.Audience
}

func (e *Expected) audienceList(list []any) bool {
	given, found := 0, false
	for _, element := range list {
		text, ok := element.(string)
		if !ok {
			return e.relaxed.Audience
		}
		if text != "" {
			given++
			found = found || slices.Contains(e.Audience, text)
		}
	}
	return given == 0 || found
}

// checkTimes compares claims exp, nbf and iat (RFC 7519 § 4.1) with now, in
// milliseconds. Only exp is required.
func (e *Expected) checkTimes(claims map[string]any, now time.Time) error {
	earliest := float64(now.Add(-e.Leeway).UnixMilli())
	latest := float64(now.Add(e.Leeway).UnixMilli())
	exp, present, ok := e.instant(claims, "exp")
	switch {
	case !ok || !present:
		return NewError(policy.ReasonTokenVerification, "claim exp is not a time")
	case exp <= earliest:
		return NewError(policy.ReasonTokenExpired, "claim exp has passed")
	}
	switch nbf, _, ok := e.instant(claims, "nbf"); {
	case !ok:
		return NewError(policy.ReasonTokenVerification, "claim nbf is not a time")
	case nbf > latest:
		return NewError(policy.ReasonTokenNotActive, "claim nbf is to come")
	}
	switch iat, _, ok := e.instant(claims, "iat"); {
	case !ok:
		return NewError(policy.ReasonTokenVerification, "claim iat is not a time")
	case iat > latest:
		return NewError(policy.ReasonTokenFromFuture, "claim iat is to come")
	}
	return nil
}

// instant returns a claim in Unix milliseconds. It is ok for a claim to be
// absent; an absent one is long past.
func (e *Expected) instant(claims map[string]any, name string) (ms float64, present, ok bool) {
	value, present := claims[name]
	if !present {
		return math.Inf(-1), false, true
	}
	seconds, ok := value.(float64)
	if e.relaxed.Times {
		return referenceInstant(seconds), true, ok
	}
	return seconds * 1000, true, ok && 0 <= seconds && seconds <= claim.MaxInstant
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
func (e *Expected) checkStatus(claims map[string]any) error {
	switch sts, present := claims["sts"]; {
	case !present || sts == "active":
		return nil
	case sts == "pending":
		return NewError(policy.ReasonSessionPending, "claim sts is pending")
	case e.relaxed.Claims:
		return nil
	}
	return NewError(policy.ReasonTokenVerification, "claim sts is not active")
}

// isParty reports whether an origin is one of the parties. Origins of
// applications are compared as they are; so are all to the reference, which knows
// no wildcards.
func isParty(parties []string, origin string, r compat.Relaxations) bool {
	if slices.Contains(parties, origin) {
		return !strings.Contains(origin, weburl.Wildcard) || r.Claims
	}
	if r.Claims {
		return false
	}
	return slices.ContainsFunc(parties, func(party string) bool { return weburl.IsBelow(party, origin) })
}
