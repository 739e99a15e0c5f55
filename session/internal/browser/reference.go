package browser

import (
	"regexp"
	"slices"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
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

// breaksChoice reports whether the reference does not survive the choice between
// session cookies: one holds JSON's null where its claims belong, or a claim iat
// that cannot be compared with the other's.
func (a *Authenticator) breaksChoice(v *Visit) bool {
	isNull := func(token string) bool {
		t, err := unverified.Decode(token, a.relaxed, nil)
		return err == nil && t.NullClaims
	}
	plain, suffixed := v.cookies.plain.session(), v.cookies.suffixed.session()
	if isNull(plain) {
		return true
	}
	if _, decided := a.choosesByPlain(plain); decided {
		return false
	}
	return isNull(suffixed) || v.cookies.comparesTimes() && slices.ContainsFunc([]string{plain, suffixed}, func(token string) bool {
		_, ok := compat.JSText(a.unverified(token)["iat"])
		return !ok
	})
}

// comparesTimes reports whether the reference chooses by when the sessions' tokens
// were made.
func (jar *cookieJar) comparesTimes() bool {
	suffixedUAT := jar.suffixed.uat()
	return (suffixedUAT != "" || jar.suffixed.session() != "") && suffixedUAT != uatSignedOut && jar.plain.uat() != uatSignedOut
}

// Misconfigured compares a satellite's sign-in page with the origin of the
// request, which by default is none of the client's business.
func (a *Authenticator) Misconfigured(v *Visit) bool {
	if !a.o.Satellite || a.o.SignInURL == "" || v.origin.value == "" {
		return false
	}
	page, ok := weburl.Parse(a.o.SignInURL)
	return !ok || page.Origin() == v.origin.value
}

// uatSignedOut is the client_uat of a browser that is signed out. An absent cookie
// does not say so.
const uatSignedOut = "0"

var schemes = regexp.MustCompile(`(?i)https?://`)

// choosesSuffixed decides, in the reference's order, whether the cookies with
// the instance's suffix count, or those without. The choice is by unverified
// text, and only ever between cookies that are then verified.
func (a *Authenticator) choosesSuffixed(jar *cookieJar, now time.Time) bool {
	plain, suffixed := jar.plain.session(), jar.suffixed.session()
	plainUAT, suffixedUAT := jar.plain.uat(), jar.suffixed.uat()
	if chosen, decided := a.choosesByPlain(plain); decided {
		return chosen
	}
	switch {
	case suffixedUAT == "" && suffixed == "":
		return false
	case jar.comparesTimes() && compat.IsGreater(a.unverified(plain)["iat"], a.unverified(suffixed)["iat"]):
		return false
	case suffixedUAT == uatSignedOut && plainUAT != uatSignedOut:
		return false
	case !a.o.Production && suffixedUAT != uatSignedOut && plainUAT == uatSignedOut && a.expired(suffixed, now):
		return false
	}
	return suffixedUAT != "" || suffixed == ""
}

// choosesByPlain decides by the session cookie without suffix alone, where that is
// another instance's or names none.
func (a *Authenticator) choosesByPlain(plain string) (suffixed, decided bool) {
	if plain == "" {
		return false, false
	}
	t, err := unverified.Decode(plain, a.relaxed, nil)
	if err != nil || compat.IsFalsy(t.Claims["iss"]) {
		return false, true
	}
	iss, ok := t.Claims["iss"].(string)
	foreign := !ok || schemes.ReplaceAllString(iss, "") != a.o.FrontendHost
	return foreign, foreign
}

// unverified returns the claims of a token, none of what is no token.
func (a *Authenticator) unverified(token string) map[string]any {
	t, err := unverified.Decode(token, a.relaxed, nil)
	if err != nil {
		return nil
	}
	return t.Claims
}

// expired reports whether a token says that it has expired. JSON's null is long
// past, and an absent claim says nothing.
func (a *Authenticator) expired(token string, now time.Time) bool {
	exp, present := a.unverified(token)["exp"]
	return present && compat.JSNumber(exp) <= float64(now.Unix())
}
