package session

import (
	"strings"
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

// field is a header field that matters. Repeated ones are joined (RFC 9110
// § 5.3).
type field struct {
	value   string
	present bool
}

func (f *field) take(value string) {
	if f.present {
		value = f.value + ", " + value
	}
	f.value, f.present = value, true
}

// read takes the credentials out of a request's fields, and what says how the
// browser came to make it. Tokens come from nowhere else.
func (v *visit) read() {
	var authorization field
	for _, h := range v.request.Headers {
		switch name := h.Name; {
		case strings.EqualFold(name, "Cookie"):
			v.auth.readCookies(&v.cookies, h.Value)
		case strings.EqualFold(name, "Authorization"):
			v.repeated = authorization.present && !v.auth.relaxed.credentials
			authorization.take(strings.Trim(h.Value, " \t"))
		case strings.EqualFold(name, "Sec-Fetch-Dest"):
			v.fetchDest.take(h.Value)
		case strings.EqualFold(name, "Accept"):
			v.accept.take(h.Value)
		case strings.EqualFold(name, "Referer"):
			v.referer.take(h.Value)
		case strings.EqualFold(name, "Origin"):
			v.origin.take(h.Value)
		case strings.EqualFold(name, "X-Forwarded-Host"):
			v.forwardedHost.take(h.Value)
		case strings.EqualFold(name, "X-Forwarded-Proto"):
			v.forwardedProto.take(h.Value)
		}
	}
	if authorization.value != "" {
		v.token, v.bearer = v.auth.readAuthorization(authorization.value)
	}
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

// presented reports whether there was anything to judge.
func (c *credentials) presented() bool {
	return c.bearer || c.cookies.plain.session() != "" || c.cookies.suffixed.session() != ""
}
