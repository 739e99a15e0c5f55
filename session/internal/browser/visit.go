package browser

import (
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// Visit is one request on its way through the decision: its credentials, and
// what is worked out of it when a step asks. It belongs to one goroutine.
type Visit struct {
	auth    *Authenticator
	request *policy.Request
	now     time.Time
	credentials

	fetchDest, accept, referer, origin field
	forwardedHost, forwardedProto      field

	// suffixed says which cookies count: those with the instance's suffix, or
	// those without.
	suffixed bool
	// checked is the session that the cookies were found to hold before the
	// decision began.
	checked *cookieSession
	// conflict is set where the session cookies name two sessions.
	conflict error
	// issuedAt is claim iat of a session cookie that was not verified; dated
	// says that it has one.
	issuedAt float64
	dated    bool

	located bool
	url     *weburl.URL // nil: not known
	query   weburl.Form
}

// Visit reads the credentials of a request, as of now.
func (a *Authenticator) Visit(r *policy.Request, now time.Time) *Visit {
	v := &Visit{auth: a, request: r, now: now}
	v.read()
	return v
}

// family are the cookies that count.
func (v *Visit) family() *cookieFamily {
	if v.suffixed {
		return &v.cookies.suffixed
	}
	return &v.cookies.plain
}

// sessionToken is the token that a handshake takes along.
func (v *Visit) sessionToken() string {
	if token := v.cookieToken(); token != "" {
		return token
	}
	return v.Token
}

// cookieToken is the token in the session cookie that counts.
func (v *Visit) cookieToken() string {
	if v.checked != nil {
		return v.checked.token
	}
	return v.family().session()
}

// clientUAT is since when the browser is signed in, in Unix seconds; 0 says
// signed out.
func (v *Visit) clientUAT() float64 {
	if v.auth.relaxed.Credentials {
		return compat.ParseInt(v.family().uat())
	}
	return float64(clientUAT(v.family().uat()))
}

// param returns a parameter of the query, or "".
func (v *Visit) param(name string) string {
	if !v.mentions(name) {
		return ""
	}
	v.address()
	return v.query.Get(name)
}

// hasParam reports whether a parameter is there, empty or not.
func (v *Visit) hasParam(name string) bool {
	if !v.mentions(name) {
		return false
	}
	v.address()
	return v.query.Has(name)
}

// mentions tells cheaply that a query has no such parameter. Names may be
// escaped.
func (v *Visit) mentions(name string) bool {
	_, query, ok := strings.Cut(v.request.Target, "?")
	return ok && (strings.Contains(query, name) || strings.Contains(query, "%"))
}

// devBrowser is the token that names the browser to a development instance.
func (v *Visit) devBrowser() string {
	if token := v.param(devBrowserCookie); token != "" {
		return token
	}
	return v.family().devBrowser.value
}

// isDocument reports whether a browser is loading the request as a page of its
// own.
func (v *Visit) isDocument() bool {
	return v.isGet() && v.fetchDest.value == "document"
}

// isGet reads the method in any case, as the reference does.
func (v *Visit) isGet() bool { return strings.EqualFold(v.request.Method, "GET") }

// mayHandshake reports whether the request is one that can be sent elsewhere and
// come back: a browser is loading a page. This is Clerk's own definition of that, by which
// its library sends to handshakes: Sec-Fetch-Dest, or Accept where that is missing. The
// one by which policies redirect to sign in is ours (isNavigation in package policy).
func (v *Visit) mayHandshake() bool {
	if !v.isGet() {
		return false
	}
	switch v.fetchDest.value {
	case "document", "iframe":
		return true
	case "":
		return strings.HasPrefix(v.accept.value, "text/html")
	}
	return false
}

// handshakes is how many handshakes in a row the browser has come from.
func (v *Visit) handshakes() float64 {
	text := v.cookies.count.value
	if !v.auth.relaxed.Loops {
		n, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return 0
		}
		return float64(n)
	}
	if n := compat.ParseNumber(text); !math.IsNaN(n) {
		return n
	}
	return 0
}
