package session

import (
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// credentials are what a request offers to prove who is asking.
type credentials struct {
	// bearer reports an Authorization field with scheme Bearer. Cookies do not
	// count beside it, even where token is empty or worthless.
	bearer bool
	token  string
	// repeated reports more than one Authorization field.
	repeated bool
	cookies  cookieJar
}

// readCredentials takes the credentials out of a request's fields. Tokens come
// from nowhere else.
func (a *Authenticator) readCredentials(fields []policy.Header) credentials {
	var c credentials
	seen := false
	for _, field := range fields {
		switch {
		case strings.EqualFold(field.Name, "Authorization"):
			value := strings.Trim(field.Value, " \t")
			if seen {
				c.repeated = true
			} else if value != "" {
				c.token, c.bearer = a.readAuthorization(value)
			}
			seen = true
		case strings.EqualFold(field.Name, "Cookie"):
			a.readCookies(&c.cookies, field.Value)
		}
	}
	return c
}

// readAuthorization returns the token of an Authorization field. Fields of other
// schemes are ignored.
func (a *Authenticator) readAuthorization(value string) (token string, bearer bool) {
	if a.relaxed.credentials {
		return referenceAuthorization(value)
	}
	scheme, token := value, ""
	if at := strings.IndexAny(value, " \t"); at >= 0 {
		scheme, token = value[:at], strings.Trim(value[at:], " ")
	}
	return token, strings.EqualFold(scheme, "Bearer")
}

// isMachineToken recognizes the opaque tokens of machines: API keys, M2M tokens
// and OAuth access tokens.
func isMachineToken(token string) bool { return opaqueType(token) != "" }

// presented reports whether there was anything to judge.
func (c *credentials) presented() bool {
	return c.bearer || c.cookies.plain.session() != "" || c.cookies.suffixed.session() != ""
}
