package browser

import (
	"context"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
)

// The cookie that says that this browser was sent to a handshake from here. By its
// prefix browsers take it from nobody but this host, over https. A development
// server without https has to do with the other name.
const (
	SentCookie      = "__Host-clerkgate-handshake"
	SentPlainCookie = "clerkgate-handshake"
)

// maxAnswers bounds how many answers are remembered that were taken. Each is good
// for minutes.
const maxAnswers = 8192

func newAnswers() *otter.Cache[fingerprint.Sum, struct{}] {
	return otter.Must(&otter.Options[fingerprint.Sum, struct{}]{MaximumSize: maxAnswers})
}

// sentCookieOf is the name of that cookie where this request came, and the
// attributes by which it is set and deleted.
func (v *Visit) sentCookieOf() (name, attributes string) {
	if u, ok := v.address(); ok && u.Scheme == "https" {
		return SentCookie, "; Path=/; Secure; HttpOnly; SameSite=Lax; Max-Age="
	}
	return SentPlainCookie, "; Path=/; HttpOnly; SameSite=Lax; Max-Age="
}

// wasSent reports whether this browser was sent to a handshake from here.
func (v *Visit) wasSent() bool {
	name, _ := v.sentCookieOf()
	if name == SentCookie {
		return v.cookies.sent
	}
	return v.cookies.sentPlain
}

// sentHeader tells the browser that it is sent, or that it has come back.
func (v *Visit) sentHeader(sent bool) policy.Header {
	name, attributes := v.sentCookieOf()
	if sent {
		return policy.Header{Name: "Set-Cookie", Value: name + "=1" + attributes + "300"}
	}
	return policy.Header{Name: "Set-Cookie", Value: name + "=" + attributes + "0"}
}

// isAmbiguous reports whether another answer stands beside the one that would be
// taken: a sibling domain can put one in front.
func (v *Visit) isAmbiguous() bool { return v.cookies.handshake.differs || v.cookies.nonce.differs }

// unasked decides about an answer that this browser was not sent for, that was
// taken before, or that stands beside another: a sibling domain, or a link, may
// have planted it. A session that holds goes on without it. Else the browser is
// sent to fetch an answer of its own.
func (a *Authenticator) unasked(v *Visit) (policy.AuthState, bool) {
	if v.checked != nil {
		return a.withoutAnswer(v)
	}
	state := a.renew(v, policy.ReasonHandshakeUnasked, nil)
	return state, state.Status == policy.Handshake
}

// withoutAnswer has a browser in development load the address anew without an
// answer that does not count.
func (a *Authenticator) withoutAnswer(v *Visit) (policy.AuthState, bool) {
	u, ok := v.address()
	if !ok || a.o.Production || v.param(paramHandshake)+v.param(paramNonce) == "" {
		return policy.AuthState{}, false
	}
	return policy.AuthState{Status: policy.Handshake, Reason: policy.ReasonHandshakeUnasked, Presented: true, Headers: []policy.Header{
		{Name: "Location", Value: u.WithForm(v.query.Without(spentParams...)).String()},
		{Name: "Cache-Control", Value: "no-store"},
	}}, true
}

// forThisPage answers a browser in development that takes no cookies: it cannot
// show that it was sent, and would be sent in circles. Nothing is set, so that
// the answer counts for this page alone.
func (a *Authenticator) forThisPage(ctx context.Context, v *Visit, token, nonce string) (policy.AuthState, bool) {
	state, decided := a.takeAnswer(ctx, v, token, nonce)
	if decided && state.Forward != nil {
		state.Headers = []policy.Header{{Name: "Cache-Control", Value: "no-store"}}
	}
	return state, decided
}

// isCookieless reports whether the browser is one in development that sent no
// cookie that we or Clerk gave it.
func (v *Visit) isCookieless() bool { return !v.auth.o.Production && !v.showsCookies() }

// showsCookies reports whether the browser sent a cookie that we or Clerk gave
// it.
func (v *Visit) showsCookies() bool {
	jar := &v.cookies
	for _, family := range []*cookieFamily{&jar.plain, &jar.suffixed} {
		if len(family.sessions)+len(family.uats) > 0 || family.devBrowser.seen {
			return true
		}
	}
	return jar.count.seen || jar.sent || jar.sentPlain || jar.refresh.seen
}

// replaces reports whether an answer would put somebody else in the place of a
// session that holds. One that the browser's own cookies say is over does not.
func (v *Visit) replaces(p *policy.Principal) bool {
	return v.checked != nil && p != nil && p.UserID != v.checked.principal.UserID && !v.auth.predatesUAT(v)
}
