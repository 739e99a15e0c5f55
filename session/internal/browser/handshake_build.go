package browser

import (
	"cmp"
	"fmt"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// The parameters by which Clerk's pages and Frontend API talk to an application.
const (
	paramHandshake  = "__clerk_handshake"
	paramNonce      = "__clerk_handshake_nonce"
	paramDevBrowser = "__clerk_db_jwt"
	paramDevSession = "__dev_session"
	paramHelp       = "__clerk_help"
	paramSynced     = "__clerk_synced"
	paramReturn     = "__clerk_redirect_url"
)

// renew sends a browser to the Frontend API, which knows better than its cookies
// whether it is signed in. Requests that cannot be sent anywhere are signed out
// for the reason, and so are browsers that were sent there time and again.
func (a *Authenticator) renew(v *Visit, reason policy.Reason, cause error) policy.AuthState {
	state := a.send(v, reason, cause, func() (string, bool) { return a.handshakeURL(v, reason) })
	if state.Status == policy.Handshake && !a.relaxed.Handshakes {
		state.Headers = append(state.Headers, v.sentHeader(true))
	}
	return state
}

// send is renew with another place to be sent to.
func (a *Authenticator) send(v *Visit, reason policy.Reason, cause error, where func() (string, bool)) policy.AuthState {
	state := policy.AuthState{Reason: reason, Presented: v.Presented(), Cause: cause}
	if !v.mayHandshake() || v.loops() {
		return state
	}
	location, ok := where()
	switch {
	case !ok:
		state.Cause = cmp.Or(cause, v.strangeHost())
		return state
	case len(location) > MaxLocation && !a.relaxed.Handshakes:
		state.Cause = cmp.Or(cause, errLongLocation)
		return state
	}
	state.Status = policy.Handshake
	state.Headers = []policy.Header{
		{Name: "Location", Value: location},
		{Name: "Cache-Control", Value: "no-store"},
		{Name: "Set-Cookie", Value: v.countCookie()},
	}
	if !a.relaxed.Handshakes {
		state.Headers = append(state.Headers, policy.Header{Name: "Referrer-Policy", Value: "no-referrer"})
	}
	return state
}

// MaxLocation bounds the address that a browser is sent to, in bytes: what stands
// between may refuse an answer with a longer one, and the Frontend API a request.
// Clerk's own library has no bound.
const MaxLocation = 16 << 10

var errLongLocation = fmt.Errorf("the browser is sent nowhere, for the address to send it to is longer than %d bytes", MaxLocation)

// strangeHost says for the log why a browser is sent nowhere, where the page's host
// is none of this site's.
func (v *Visit) strangeHost() error {
	if _, ok := v.address(); ok || len(v.auth.o.AuthorizedParties) == 0 {
		return nil
	}
	return policy.StrangeHost{Host: v.request.Host}
}

// maxHandshakes is how many handshakes in a row a browser is sent to.
const maxHandshakes = 3

// loops reports whether the browser has come from too many.
func (v *Visit) loops() bool {
	if v.auth.relaxed.Loops {
		return v.handshakes() == maxHandshakes
	}
	return v.handshakes() >= maxHandshakes
}

// countCookie counts one more.
func (v *Visit) countCookie() string {
	count := CountCookie + "=" + strconv.FormatFloat(v.handshakes()+1, 'f', -1, 64)
	if v.auth.relaxed.Loops {
		return count + "; SameSite=Lax; HttpOnly; Max-Age=2"
	}
	count += "; Path=/; SameSite=Lax; HttpOnly; Max-Age=10"
	if u, ok := v.address(); ok && u.Scheme == "https" {
		count += "; Secure"
	}
	return count
}

// handshakeURL is where the Frontend API looks into the browser's session, with
// the way back: to the page without its query, or else to the site, where an address
// would be too long.
func (a *Authenticator) handshakeURL(v *Visit, reason policy.Reason) (string, bool) {
	back, ok := v.address()
	if !ok {
		return "", false
	}
	base, ok := a.frontendURL(back)
	if !ok {
		return "", false
	}
	spent := []string{paramDevBrowser, paramDevSession}
	if !a.relaxed.Handshakes {
		spent = append(spent, paramHandshake, paramNonce)
	}
	query := weburl.Form{
		{Name: "redirect_url", Value: ""},
		{Name: "__clerk_api_version", Value: calls.APIVersion},
		{Name: "suffixed_cookies", Value: strconv.FormatBool(v.suffixed)},
		{Name: "__clerk_hs_reason", Value: string(reason)},
		{Name: "format", Value: "nonce"},
	}
	if token := v.sessionToken(); token != "" {
		query = append(query, weburl.Pair{Name: sessionCookie, Value: token})
	}
	if browser := v.devBrowser(); browser != "" && !a.o.Production {
		query = append(query, weburl.Pair{Name: paramDevBrowser, Value: browser})
	}
	if target, ok := a.organizations.target(back.Path); ok {
		query = append(query, weburl.Pair{Name: "organization_id", Value: target.param()})
	}
	site := &weburl.URL{Scheme: back.Scheme, Host: back.Host, Path: "/"}
	location := ""
	for _, page := range []*weburl.URL{back.WithForm(v.query.Without(spent...)), back.WithForm(nil), site} {
		query[0].Value = page.String()
		if location = base.WithForm(query).String(); len(location) <= MaxLocation || a.relaxed.Handshakes {
			break
		}
	}
	return location, true
}

// frontendURL is the address of the handshake at the Frontend API.
func (a *Authenticator) frontendURL(own *weburl.URL) (*weburl.URL, bool) {
	text := a.frontendBase(own)
	if !strings.HasPrefix(text, "http") {
		text = "https://" + text
	}
	base, ok := weburl.Parse(strings.TrimRight(text, "/") + "/")
	if !ok {
		return nil, false
	}
	base.Path = base.Path[:strings.LastIndexByte(base.Path, '/')+1] + "v1/client/handshake"
	base.Fragment = ""
	return base, true
}

// frontendBase is the Frontend API: a host, or an address where this site
// proxies it.
func (a *Authenticator) frontendBase(own *weburl.URL) string {
	if strings.HasPrefix(a.o.ProxyURL, "/") {
		return own.Origin() + a.o.ProxyURL
	}
	return a.o.FrontendAPI
}
