package session

import (
	"context"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/clerkgate/clerkgate/policy"
)

// referenceAuthorization reads the field as Clerk's own library does: a value
// without a second word is a token itself.
func referenceAuthorization(value string) (token string, bearer bool) {
	first, rest, _ := strings.Cut(value, " ")
	second, _, _ := strings.Cut(rest, " ")
	switch {
	case second == "":
		return first, true
	case first == "Bearer":
		return second, true
	}
	return "", false
}

// byReferenceCookies decides as Clerk's own library does: it chooses between the
// cookies with and without suffix by what they say, unverified, and looks at the
// first of the chosen name alone.
func (a *Authenticator) byReferenceCookies(ctx context.Context, jar *cookieJar, now time.Time) policy.AuthState {
	chosen := &jar.plain
	if a.choosesSuffixed(jar, now) {
		chosen = &jar.suffixed
	}
	token, uat := chosen.session(), clientUAT(chosen.uat())
	switch {
	case token == "" && uat == 0:
		return policy.AuthState{Reason: policy.ReasonSessionMissing}
	case token == "":
		return policy.AuthState{Reason: policy.ReasonUATNoSession}
	case uat == 0:
		return failed(refuse(policy.ReasonSessionNoUAT, "there is no client_uat cookie, or it says signed out"))
	}
	t, err := decodeToken(token, a.relaxed, nil)
	switch {
	case err != nil:
		return failed(&Error{policy.ReasonTokenInvalid, err})
	case !t.isSession():
		return failed(refuse(policy.ReasonTokenType, "not a session token"))
	case before(instant(t.claims["iat"]), uat):
		return failed(refuse(policy.ReasonSessionBeforeUAT, "claim iat is before the client_uat cookie"))
	}
	return a.byToken(ctx, token, now)
}

// signedOut is the client_uat of a browser that is signed out. An absent cookie
// does not say so.
const signedOut = "0"

var schemes = regexp.MustCompile(`(?i)https?://`)

// choosesSuffixed decides, in the reference's order, whether the cookies with
// the instance's suffix count, or those without. The choice is by unverified
// text, and only ever between cookies that are then verified.
func (a *Authenticator) choosesSuffixed(jar *cookieJar, now time.Time) bool {
	plain, suffixed := jar.plain.session(), jar.suffixed.session()
	plainUAT, suffixedUAT := jar.plain.uat(), jar.suffixed.uat()
	if plain != "" {
		t, err := decodeToken(plain, a.relaxed, nil)
		if err != nil || isFalsy(t.claims["iss"]) {
			return false
		}
		iss, ok := t.claims["iss"].(string)
		if !ok || schemes.ReplaceAllString(iss, "") != a.frontendHost {
			return true // another instance's
		}
	}
	switch {
	case suffixedUAT == "" && suffixed == "":
		return false
	case suffixedUAT != signedOut && plainUAT != signedOut && a.unverified(plain, "iat", 0) > a.unverified(suffixed, "iat", 0):
		return false
	case suffixedUAT == signedOut && plainUAT != signedOut:
		return false
	case !a.key.Production && suffixedUAT != signedOut && plainUAT == signedOut && a.expired(suffixed, now):
		return false
	}
	return suffixedUAT != "" || suffixed == ""
}

// unverified returns a number that a token claims, or otherwise.
func (a *Authenticator) unverified(token, claim string, otherwise float64) float64 {
	t, err := decodeToken(token, a.relaxed, nil)
	if err != nil {
		return otherwise
	}
	if number, ok := t.claims[claim].(float64); ok {
		return number
	}
	return otherwise
}

// expired reports whether a token says that it has expired.
func (a *Authenticator) expired(token string, now time.Time) bool {
	return a.unverified(token, "exp", maxInstant) <= float64(now.Unix())
}

// isFalsy reports whether a decoded JSON value is one that JavaScript takes for
// false.
func isFalsy(v any) bool {
	return v == nil || v == "" || v == float64(0) || v == false
}

// decodeURIComponent decodes percent escapes as the function of ECMAScript of
// that name does, and returns what that refuses unchanged.
func decodeURIComponent(s string) string {
	if !strings.Contains(s, "%") {
		return s
	}
	decoded, err := url.PathUnescape(s)
	if err != nil || !utf8.ValidString(decoded) {
		return s
	}
	return decoded
}
