package conformance

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// deviation is a difference from the reference that is meant: a predicate over
// what was asked, never a list of cases.
type deviation struct {
	name string
	// is reports whether the difference may show in a case.
	is func(v *authVector, got *authResult) bool
}

// deviationCount counts how often each deviation was needed.
type deviationCount struct {
	known []deviation
	seen  map[string]int
}

func countDeviations(known []deviation) *deviationCount {
	return &deviationCount{known, map[string]int{}}
}

// explains reports whether a known deviation covers a case.
func (c *deviationCount) explains(v *authVector, got *authResult) bool {
	i := slices.IndexFunc(c.known, func(d deviation) bool { return d.is(v, got) })
	if i >= 0 {
		c.seen[c.known[i].name]++
	}
	return i >= 0
}

func (c *deviationCount) report(t *testing.T) {
	t.Helper()
	for _, d := range c.known {
		fmt.Fprintf(t.Output(), "  %d: %s\n", c.seen[d.name], d.name)
		if c.seen[d.name] == 0 && isComplete() {
			t.Errorf("no case shows the deviation %q", d.name)
		}
	}
}

// referenceDeviations hold in reference mode, too.
var referenceDeviations = []deviation{
	{"a PEM key may be longer than 2048 bits", func(v *authVector, _ *authResult) bool { return hasLongPEM(v) }},
	{"an answer about a token that does not describe one is no answer", func(_ *authVector, got *authResult) bool {
		e, ok := errors.AsType[*jwt.Error](got.state.Cause)
		return ok && e.Reason == policy.ReasonClerkUnavailable && got.state.Status != policy.SignedIn
	}},
	{"an opaque token counts no longer than Clerk said that it would", func(v *authVector, got *authResult) bool {
		return got.state.Reason == policy.ReasonTokenInvalid && slices.ContainsFunc([]string{"ak_", "mt_", "oat_"}, func(prefix string) bool { return strings.HasPrefix(v.Expect.Token, prefix) })
	}},
}

// defaultDeviations are the points on which the default mode signs in where the
// reference does not, or by another token.
var defaultDeviations = []deviation{
	{"a PEM key may be longer than 2048 bits", func(v *authVector, _ *authResult) bool { return hasLongPEM(v) }},
	{`the line breaks of a PEM key may be written as \n`, func(v *authVector, _ *authResult) bool {
		return strings.Contains(v.Input.Config.JWTKey, `\n`)
	}},
	{"the secret key may be missing where nothing needs it", func(v *authVector, _ *authResult) bool {
		return v.Input.Config.SecretKey == "" && v.Input.Config.JWTKey != ""
	}},
	{"scheme Bearer is written in any case, with any number of spaces behind it", func(v *authVector, _ *authResult) bool {
		scheme, token, _ := strings.Cut(v.Input.Request.field("Authorization"), " ")
		return strings.EqualFold(scheme, "Bearer") && token != "" && (scheme != "Bearer" || token[0] == ' ')
	}},
	{"an Authorization field without a scheme is no credential, nor is the name of another scheme", func(v *authVector, _ *authResult) bool {
		scheme, second, _ := strings.Cut(v.Input.Request.field("Authorization"), " ")
		return scheme != "" && scheme != "Bearer" && (second == "" || second[0] == ' ')
	}},
	{"an entry of the key set that is no key disturbs no other", func(v *authVector, _ *authResult) bool {
		i := slices.IndexFunc(v.Input.Backend, func(a backendAnswer) bool { return a.Path == "/v1/jwks" })
		return i >= 0 && v.Expect.Status == "signed-out" && oddEntry.Match(v.Input.Backend[i].Body)
	}},
	{"fractions of a second count in claim exp", func(v *authVector, got *authResult) bool {
		exp, ok := got.state.Principal.Claims["exp"].(float64)
		if !ok { // a machine's, whose claims are its own
			exp, _ = claimsOf(strings.TrimPrefix(v.Input.Request.field("Authorization"), "Bearer "))["exp"].(float64)
		}
		return exp != math.Trunc(exp)
	}},
	{"an empty scope is none", func(v *authVector, got *authResult) bool {
		p := got.state.Principal
		return p.TokenType != policy.SessionToken && len(p.Scopes) == 0 && v.Expect.Status == "signed-in"
	}},
	{"dot segments of a path do not say which organization it names", func(v *authVector, _ *authResult) bool {
		path, _, _ := strings.Cut(strings.ToLower(v.Input.Request.URL), "?")
		return v.Expect.Reason == string(policy.ReasonOrganizationMismatch) && strings.Contains(strings.ReplaceAll(path, "%2e", "."), "/.")
	}},
	{"the instance's own pages are Clerk's also where this site proxies the Frontend API", func(v *authVector, _ *authResult) bool {
		return v.Expect.Reason == string(policy.ReasonCrossOriginSync) && v.Input.Config.ProxyURL != ""
	}},
	{"an empty list of personal paths names none", func(v *authVector, _ *authResult) bool {
		sync := v.Input.Config.OrganizationSync
		return v.Expect.Reason == string(policy.ReasonOrganizationMismatch) && sync != nil && sync.Personal != nil && len(sync.Personal) == 0
	}},
	{"X-Forwarded-Host and -Proto say nothing, so that another origin is the page's own", func(v *authVector, _ *authResult) bool {
		return v.Expect.Reason == string(policy.ReasonCrossOriginSync) && v.Input.Request.field("X-Forwarded-Host")+v.Input.Request.field("X-Forwarded-Proto") != ""
	}},
	{"a primary answers no satellite that is not an authorized party", func(v *authVector, _ *authResult) bool {
		return strings.Contains(v.Input.Request.URL, "__clerk_redirect_url=")
	}},
	{"a nonce that yields nothing leaves the session alone", func(v *authVector, got *authResult) bool {
		return v.Expect.Reason == string(policy.ReasonSessionEmpty) && slices.ContainsFunc(got.calls, func(c backendCall) bool { return c.Path == "/v1/clients/handshake_payload" })
	}},
	{"in production the answer of a handshake counts in cookies alone, and where a page is loaded", func(v *authVector, got *authResult) bool {
		return strings.Contains(v.Input.Request.URL, "__clerk_handshake") || strings.Contains(v.Input.Request.field("Cookie"), "__clerk_handshake")
	}},
	{"a session cookie that verifies counts whatever stands in others", func(v *authVector, got *authResult) bool {
		others := strings.Count(v.Input.Request.field("Cookie"), "__session") > 1 || v.Expect.Reason == string(policy.ReasonUATNoSession)
		return others && sessionCookieOf(v, got) != ""
	}},
	{"a session cookie that verifies counts without a client_uat where no page is loaded, or too many handshakes were", func(v *authVector, got *authResult) bool {
		name := sessionCookieOf(v, got)
		sent, _ := strconv.Atoi(v.Input.Request.cookie("__clerk_redirect_count"))
		return name != "" && (v.Expect.Status == "signed-out" || sent > 3) && v.Input.Request.cookie(strings.Replace(name, "__session", "__client_uat", 1)) == ""
	}},
	{"a request whose address cannot be told is judged by its cookies alone", func(v *authVector, got *authResult) bool {
		return lacksAddress(v) && sessionCookieOf(v, got) != ""
	}},
	{"no request makes a satellite's configuration unusable", func(v *authVector, _ *authResult) bool {
		origin := v.Input.Request.field("Origin")
		return v.Expect.Status == "error" && v.Input.Config.Satellite && origin != "" && strings.HasPrefix(v.Input.Config.SignInURL, origin)
	}},
}

// lacksAddress reports whether the request came under another host than the
// application's, or has a target that cannot be written behind one.
func lacksAddress(v *authVector) bool {
	r := v.Input.Request.request()
	path, _, _ := strings.Cut(r.Target, "?")
	odd := func(c rune) bool { return c <= ' ' || c >= 0x7f }
	isOwn := func(party string) bool { return strings.HasSuffix(party, "://"+r.Host) }
	parties := v.Input.Config.AuthorizedParties
	return !strings.HasPrefix(path, "/") || strings.Contains(path, `\`) || strings.ContainsFunc(r.Target, odd) ||
		len(parties) > 0 && !slices.ContainsFunc(parties, isOwn)
}

// sessionCookieOf returns the name of the session cookie of the request that
// holds the token that was taken, or "".
func sessionCookieOf(v *authVector, got *authResult) string {
	for name, value := range v.Input.Request.cookies() {
		if strings.HasPrefix(name, "__session") && digest(value) == got.state.Principal.TokenDigest {
			return name
		}
	}
	return ""
}

// hasLongPEM reads a PEM key in whichever form it is given.
func hasLongPEM(v *authVector) bool {
	body := strings.NewReplacer("-----BEGIN PUBLIC KEY-----", "", "-----END PUBLIC KEY-----", "", `\n`, "").Replace(v.Input.Config.JWTKey)
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(body), ""))
	if err != nil {
		return false
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	key, ok := parsed.(*rsa.PublicKey)
	return err == nil && ok && key.N.BitLen() > 2048
}

// oddEntry is of a key set with null for an entry, or an object for a text.
var oddEntry = regexp.MustCompile(`},null|"(?:kid|crv|d|k|oth|ext)":[[{]`)

// claimsOf reads the claims of a token, none of what is no token.
func claimsOf(token string) map[string]any {
	_, rest, _ := strings.Cut(token, ".")
	payload, _, _ := strings.Cut(rest, ".")
	text, err := base64.RawURLEncoding.DecodeString(payload)
	var claims map[string]any
	if err != nil || json.Unmarshal(text, &claims) != nil {
		return nil
	}
	return claims
}
