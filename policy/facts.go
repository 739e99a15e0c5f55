package policy

import "strings"

// maxHeaders bounds how many fields a request may have.
const maxHeaders = 256

// facts are what the core reads from the request's fields, gathered in one
// pass.
type facts struct {
	// owned are the names the client sent that are ours, as it spelt them.
	owned []string

	authorization  string
	forwardedFor   []string
	forwardedProto string
	accept         string
	contentType    string
	fetchDest      string
	fetchMode      string
	origin         string
	requestMethod  string
	requestedWith  string
	upgrade        string
}

// readHeaders gathers the facts and refuses fields that are ambiguous or that
// reach for ours.
func readHeaders(headers []Header, rules *headerRules) (facts, Reason) {
	var f facts
	if len(headers) > maxHeaders {
		return f, ReasonHeadersTooMany
	}
	for i := range headers {
		name, value := headers[i].Name, headers[i].Value
		if !plainField(name, value) {
			return f, ReasonHeaderMalformed
		}
		if rules.isOwned(name) {
			f.owned = append(f.owned, name)
			continue
		}
		if reason := f.read(name, value, rules); reason != "" {
			return f, reason
		}
	}
	return f, ""
}

// plainField reports whether a field can be one field only, to whoever reads it
// next: its name visible ASCII, its value without line breaks and NUL (RFC 9110
// § 5.5).
func plainField(name, value string) bool {
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return name != "" && strings.IndexByte(value, '\n') < 0 && strings.IndexByte(value, '\r') < 0 && strings.IndexByte(value, 0) < 0
}

// read files one field. The length of a name tells most of them apart.
func (f *facts) read(name, value string, rules *headerRules) Reason {
	switch len(name) {
	case len("Accept"): // and Origin
		setIf(&f.accept, name, "Accept", value)
		setIf(&f.origin, name, "Origin", value)
	case len("Upgrade"):
		setIf(&f.upgrade, name, "Upgrade", value)
	case len("Connection"):
		if strings.EqualFold(name, "Connection") && namesOwned(value, rules) {
			return ReasonConnectionMalformed
		}
	case len("Content-Type"):
		setIf(&f.contentType, name, "Content-Type", value)
	case len("Authorization"):
		if strings.EqualFold(name, "Authorization") {
			if f.authorization != "" && f.authorization != value {
				return ReasonAuthorizationTwice
			}
			if !oneToken(value) {
				return ReasonAuthorizationForm
			}
			f.authorization = value
		}
	case len("Sec-Fetch-Dest"): // and Sec-Fetch-Mode
		setIf(&f.fetchDest, name, "Sec-Fetch-Dest", value)
		setIf(&f.fetchMode, name, "Sec-Fetch-Mode", value)
	case len("X-Forwarded-For"):
		if strings.EqualFold(name, "X-Forwarded-For") {
			f.forwardedFor = append(f.forwardedFor, value)
		}
	case len("X-Requested-With"):
		setIf(&f.requestedWith, name, "X-Requested-With", value)
	case len("X-Forwarded-Proto"):
		setIf(&f.forwardedProto, name, "X-Forwarded-Proto", value)
	case len("Access-Control-Request-Method"):
		setIf(&f.requestMethod, name, "Access-Control-Request-Method", value)
	}
	return ""
}

// oneToken reports whether an Authorization field of scheme Bearer holds one
// token (RFC 6750 § 2.1). More is a mistake, or a folded line that hides another
// field.
func oneToken(authorization string) bool {
	scheme, token, _ := strings.Cut(strings.Trim(authorization, " \t"), " ")
	return !strings.EqualFold(scheme, "Bearer") || !strings.ContainsAny(strings.Trim(token, " \t"), " \t")
}

// setIf keeps the first value of a field.
func setIf(fact *string, name, want, value string) {
	if *fact == "" && strings.EqualFold(name, want) {
		*fact = value
	}
}

// namesOwned reports whether a Connection field asks proxies to drop one of our
// headers (RFC 9110 § 7.6.1).
func namesOwned(connection string, rules *headerRules) bool {
	for token := range strings.SplitSeq(connection, ",") {
		if token = strings.Trim(token, " \t\""); token != "" && rules.isOwned(token) {
			return true
		}
	}
	return false
}

// isGRPC reports whether the caller speaks gRPC.
func (f *facts) isGRPC() bool {
	kind, ok := strings.CutPrefix(f.contentType, "application/grpc")
	return ok && (kind == "" || kind[0] == '+' || kind[0] == ';') // not grpc-web, which browsers speak over plain HTTP
}

// isPreflight reports whether the request is a CORS preflight (Fetch standard,
// CORS-preflight fetch).
func (f *facts) isPreflight(method string) bool {
	return method == "OPTIONS" && f.origin != "" && f.requestMethod != ""
}

// isNavigation reports whether a browser is loading the request as a page of
// its own, so that a redirect to sign-in makes sense. What clients say here
// chooses between a redirect and a status, never between passing and not.
func (f *facts) isNavigation(method string) bool {
	if method != "GET" && method != "HEAD" || f.authorization != "" || f.upgrade != "" || f.requestedWith != "" {
		return false
	}
	if f.fetchMode != "" && f.fetchMode != "navigate" {
		return false
	}
	if f.fetchDest != "" {
		return f.fetchDest == "document"
	}
	return strings.Contains(f.accept, "text/html")
}
