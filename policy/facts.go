package policy

import "strings"

// A change of protocol is asked for in two fields (RFC 9110 § 7.8).
const (
	upgradeHeader    = "Upgrade"
	connectionHeader = "Connection"
)

// maxHeaders bounds how many fields a request may have.
const maxHeaders = 256

// facts are what the core reads from the request's fields, gathered in one
// pass.
type facts struct {
	// dropped are the names the client sent that do not go on, as it spelt them.
	dropped []string

	authorization  string
	forwardedFor   []string
	forwardedOnce  [1]string // what forwardedFor is made of
	forwardedProto string
	accept         string
	contentType    string
	fetchDest      string
	fetchMode      string
	origin         string
	requestMethod  string
	requestedWith  string
	// credentials and body are whether the request carries any.
	credentials, body bool
	upgrade           string
	// upgrades is how many Upgrade fields there are.
	upgrades int
}

// readHeaders gathers the facts and rejects fields that are ambiguous or that name
// ours. trusted says that a proxy that is believed sent them.
func (f *facts) readHeaders(headers []Header, rules *headerRules, trusted bool) Reason {
	f.forwardedFor = f.forwardedOnce[:0]
	if len(headers) > maxHeaders {
		return ReasonHeadersTooMany
	}
	for i := range headers {
		name, value := headers[i].Name, headers[i].Value
		if !plainField(name, value) {
			return ReasonHeaderMalformed
		}
		if rules.isDropped(name) || !trusted && namesForwardedHost(name) {
			f.dropped = append(f.dropped, name)
			continue
		}
		if reason := f.read(name, value, rules); reason != "" {
			return reason
		}
	}
	return ""
}

// namesForwardedHost reports whether a field, in any spelling, tells of the host
// that a proxy before this one was asked for. Rack, and others where configured, go by
// it in place of Host.
func namesForwardedHost(name string) bool {
	switch len(name) {
	case len("X-Forwarded-Host"):
		return sameFolded(name, "X-Forwarded-Host")
	case len("Forwarded"):
		return sameFolded(name, "Forwarded")
	}
	return false
}

// read files one field. The length of a name tells most of them apart.
func (f *facts) read(name, value string, rules *headerRules) Reason {
	switch len(name) {
	case len("Accept"): // and Origin, Cookie
		switch name[0] | ' ' {
		case 'a':
			setIf(&f.accept, name, "Accept", value)
		case 'c':
			f.credentials = f.credentials || strings.EqualFold(name, "Cookie")
		case 'o':
			setIf(&f.origin, name, "Origin", value)
		}
	case len(upgradeHeader):
		if strings.EqualFold(name, upgradeHeader) {
			f.upgrade, f.upgrades = value, f.upgrades+1
		}
	case len(connectionHeader):
		if strings.EqualFold(name, connectionHeader) && namesSettable(value, rules) {
			return ReasonConnectionMalformed
		}
	case len("Proxy-Authorization"):
		f.credentials = f.credentials || strings.EqualFold(name, "Proxy-Authorization")
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
			f.authorization, f.credentials = value, true
		}
	case len("Sec-Fetch-Dest"): // and Sec-Fetch-Mode, Content-Length
		f.body = f.body || strings.EqualFold(name, "Content-Length") && strings.Trim(value, " \t") != "0"
		setIf(&f.fetchDest, name, "Sec-Fetch-Dest", value)
		setIf(&f.fetchMode, name, "Sec-Fetch-Mode", value)
	case len("X-Forwarded-For"):
		if strings.EqualFold(name, "X-Forwarded-For") {
			f.forwardedFor = append(f.forwardedFor, value)
		}
	case len("X-Requested-With"):
		setIf(&f.requestedWith, name, "X-Requested-With", value)
	case len("X-Forwarded-Proto"): // and Transfer-Encoding
		f.body = f.body || strings.EqualFold(name, "Transfer-Encoding")
		setIf(&f.forwardedProto, name, "X-Forwarded-Proto", value)
	case len("Access-Control-Request-Method"):
		setIf(&f.requestMethod, name, "Access-Control-Request-Method", value)
	}
	return ""
}

// oneToken reports whether an Authorization field of scheme Bearer has one
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

// namesSettable reports whether a Connection field tells proxies to drop a header
// that we may set (RFC 9110 § 7.6.1).
func namesSettable(connection string, rules *headerRules) bool {
	for token := range strings.SplitSeq(connection, ",") {
		if token = strings.Trim(token, " \t\""); rules.maySet(token) {
			return true
		}
	}
	return false
}

// isGRPC reports whether the caller speaks gRPC, which is POST over HTTP/2 or
// later, and so reads its status from a field of an answer with 200.
func (f *facts) isGRPC(r *Request) bool {
	if r.Method != "POST" || r.Version < 2 {
		return false
	}
	kind, ok := strings.CutPrefix(f.contentType, "application/grpc")
	return ok && (kind == "" || kind[0] == '+' || kind[0] == ';') // not grpc-web, which browsers speak over plain HTTP
}

// isWebSocket reports whether the request opens a WebSocket (RFC 6455 § 4.1) and
// nothing else, and has no body that could be read as something else. No other change
// of protocol is forwarded: what a client then sends over the connection is not
// judged.
func (f *facts) isWebSocket(method string) bool {
	return method == "GET" && f.upgrades == 1 && !f.body && strings.EqualFold(f.upgrade, "websocket")
}

// isPreflight reports whether the request is a CORS preflight (Fetch standard,
// CORS-preflight fetch), which has neither credentials nor a body.
func (f *facts) isPreflight(method string) bool {
	return method == "OPTIONS" && f.origin != "" && f.requestMethod != "" && !f.credentials && !f.body
}

// isNavigation reports whether a browser is loading the request as a page of its
// own, so that a redirect to sign-in makes sense. What clients say here chooses
// between a redirect and a status, never between allowing and denying. Clerk's own
// rule for a page load, by which a handshake is made, is another: that must decide as
// Clerk's library does, and stands with the authentication of browsers in session.
func (f *facts) isNavigation(method string) bool {
	if method != "GET" && method != "HEAD" || f.authorization != "" || f.upgrades > 0 || f.requestedWith != "" {
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
