package browser

import (
	"strings"
)

// credentials are what a request offers to prove who is asking.
type credentials struct {
	// Bearer reports an Authorization field with scheme Bearer. Cookies do not
	// count beside it, even where token is empty or worthless.
	Bearer bool
	Token  string
	// Repeated reports more than one Authorization field.
	Repeated bool
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
func (v *Visit) read() {
	var authorization field
	for _, h := range v.request.Headers {
		if strings.EqualFold(h.Name, "Cookie") {
			v.auth.readCookies(&v.cookies, h.Value)
		} else if strings.EqualFold(h.Name, "Authorization") {
			v.Repeated = authorization.present && !v.auth.relaxed.Credentials
			authorization.take(strings.Trim(h.Value, " \t"))
		} else if f := v.field(h.Name); f != nil {
			f.take(h.Value)
		}
	}
	if authorization.value != "" {
		v.Token, v.Bearer = v.auth.readAuthorization(authorization.value)
	}
}

// field returns where a field of that name goes, or nil. Lengths tell most names
// apart already.
func (v *Visit) field(name string) *field {
	switch len(name) {
	case len("Accept"):
		if strings.EqualFold(name, "Accept") {
			return &v.accept
		}
		if strings.EqualFold(name, "Origin") {
			return &v.origin
		}
	case len("Referer"):
		if strings.EqualFold(name, "Referer") {
			return &v.referer
		}
	case len("Sec-Fetch-Dest"):
		if strings.EqualFold(name, "Sec-Fetch-Dest") {
			return &v.fetchDest
		}
	case len("X-Forwarded-Host"):
		if strings.EqualFold(name, "X-Forwarded-Host") {
			return &v.forwardedHost
		}
	case len("X-Forwarded-Proto"):
		if strings.EqualFold(name, "X-Forwarded-Proto") {
			return &v.forwardedProto
		}
	}
	return nil
}

// readAuthorization returns the token of an Authorization field. Fields of other
// schemes are ignored.
func (a *Authenticator) readAuthorization(value string) (token string, bearer bool) {
	if a.relaxed.Credentials {
		return referenceAuthorization(value)
	}
	scheme, token := value, ""
	if at := strings.IndexAny(value, " \t"); at >= 0 {
		scheme, token = value[:at], strings.Trim(value[at:], " ")
	}
	return token, strings.EqualFold(scheme, "Bearer")
}

// Presented reports whether there was anything to judge.
func (c *credentials) Presented() bool {
	return c.Bearer || c.cookies.plain.session() != "" || c.cookies.suffixed.session() != ""
}
