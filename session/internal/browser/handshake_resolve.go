package browser

import (
	"context"
	"errors"
	"regexp"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// resolveHandshake takes what the Frontend API answers to a handshake: cookies
// to set, among them the session. By default an answer counts once, where this
// browser was sent for it.
func (a *Authenticator) resolveHandshake(ctx context.Context, v *Visit) (policy.AuthState, bool) {
	token, nonce := v.handshakeAnswer()
	switch {
	case token == "" && nonce == "":
		return policy.AuthState{}, false
	case a.relaxed.Handshakes || v.wasSent() && !v.isAmbiguous():
		return a.takeAnswer(ctx, v, token, nonce)
	case v.isCookieless():
		return a.forThisPage(ctx, v, token, nonce)
	}
	return a.unasked(v)
}

// takeAnswer takes an answer, which comes signed, or for a nonce that the Backend
// API exchanges once. What does not hold is left aside, and the request is judged
// without it.
func (a *Authenticator) takeAnswer(ctx context.Context, v *Visit, token, nonce string) (policy.AuthState, bool) {
	directives, err := a.directives(ctx, v, token, nonce)
	switch {
	case err == nil:
	case a.relaxed.Handshakes && nonce != "":
		directives = nil
	case nonce != "" && v.checked == nil && isNoVerdict(err):
		return outage(err), true
	case jwt.ReasonOf(err) == policy.ReasonHandshakeInvalid && !a.o.Production:
		return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonHandshakeInvalid, Presented: true, Cause: err}, true
	default:
		return policy.AuthState{}, false
	}
	renewed, ok := renewedCookies(directives)
	if !ok || renewed.session == "" && !a.relaxed.Handshakes && nonce != "" && len(directives) == 0 {
		return policy.AuthState{}, false
	}
	state, err := a.arrived(ctx, v, renewed)
	switch {
	case err != nil:
		return policy.AuthState{}, false
	case a.relaxed.Handshakes:
	case v.replaces(state.Principal):
		return a.renew(v, policy.ReasonSessionConflict, errReplaces), true
	case renewed.session != "" && nonce == "" && !a.firstTime(token):
		return a.unasked(v)
	default:
		state.Headers = append(state.Headers, v.sentHeader(false))
	}
	a.addressHandshake(v, &state)
	return state, true
}

var errReplaces = errors.New("the answer of the handshake is for another user than the session that holds")

// firstTime reports whether a signed answer that signs somebody in was not taken
// before. Those that sign nobody in are alike, byte for byte, within a second:
// two tabs may bring the same one, and so may who signs out at once. Nonces are
// good for once at Clerk.
func (a *Authenticator) firstTime(token string) bool {
	_, first := a.answers.SetIfAbsent(fingerprint.Of(token), struct{}{})
	return first
}

// handshakeAnswer returns the signed answer and the nonce, of which one counts.
// By default only a browser loading a page has them, and in production only in
// cookies: a link must not plant somebody else's session.
func (v *Visit) handshakeAnswer() (token, nonce string) {
	token, nonce = v.cookies.handshake.value, v.cookies.nonce.value
	if v.auth.relaxed.Handshakes || !v.auth.o.Production {
		if fromQuery := v.param(paramHandshake); fromQuery != "" {
			token = fromQuery
		}
		if fromQuery := v.param(paramNonce); fromQuery != "" {
			nonce = fromQuery
		}
	}
	switch {
	case v.auth.relaxed.Handshakes:
	case !v.mayHandshake():
		return "", ""
	case !isNonce.MatchString(nonce):
		nonce = ""
	}
	return token, nonce
}

// isNonce is the form of nonces: Clerk is not asked about others.
var isNonce = regexp.MustCompile(`^[A-Za-z0-9._~+/=-]{1,256}$`)

// directives returns the cookies that a handshake sets. The nonce counts before
// the signed answer.
func (a *Authenticator) directives(ctx context.Context, v *Visit, token, nonce string) ([]string, error) {
	if nonce != "" {
		return a.backend.handshakePayload(calls.Because(ctx, calls.ForNonce, calls.CausedBy(v.request)), nonce, v.now)
	}
	payload, err := a.o.Verifier.VerifyHandshake(ctx, token, v.now)
	if err != nil {
		if isKeyOutage(err) || jwt.ReasonOf(err) == policy.ReasonUnexpectedError {
			return nil, err
		}
		return nil, &jwt.Error{Reason: policy.ReasonHandshakeInvalid, Err: err}
	}
	list, ok := payload["handshake"].([]any)
	if !ok {
		return nil, nil
	}
	out := claim.Texts(list)
	if len(out) != len(list) {
		return nil, errors.New("a directive of the handshake is not text")
	}
	return out, nil
}

// arrived is the state of a request whose cookies were renewed on the way.
// Without a session among them the browser is signed out. The error is that of a
// session that does not hold.
func (a *Authenticator) arrived(ctx context.Context, v *Visit, renewed renewal) (policy.AuthState, error) {
	state := policy.AuthState{Reason: policy.ReasonSessionEmpty, Presented: true}
	if renewed.session != "" {
		p, err := a.o.Verifier.Verify(ctx, renewed.session, v.now)
		if isOutOfTime(err) && !a.o.Production && v.handshake() {
			p, err = a.o.DevSkewVerifier.Verify(ctx, renewed.session, v.now)
		}
		switch {
		case isPending(err), errors.Is(err, jwt.ErrUnusable):
			state = failed(err)
		case err != nil:
			return state, err
		default:
			state = signedIn(p)
		}
	}
	state.Headers = renewed.headers()
	state.Forward = &policy.Forward{Cookie: renewed.cookieField(v.request.Headers)}
	return state, nil
}

// DevSkew is how far the clock of a developer's machine may be off for a
// session that comes right from a handshake.
const DevSkew = 24 * time.Hour

func isOutOfTime(err error) bool {
	e, ok := errors.AsType[*jwt.Error](err)
	return ok && sessionReasons[e.Reason] != ""
}

// handshake reports whether the request brings the answer of one.
func (v *Visit) handshake() bool {
	token, nonce := v.handshakeAnswer()
	return token != "" || nonce != ""
}

// spentParams are the parameters of the query that end with a handshake.
var spentParams = []string{paramHandshake, paramHelp, paramDevBrowser, paramNonce}

// addressHandshake adds what only a handshake's answer needs: in development it
// stands in the address, which is loaded anew without it.
func (a *Authenticator) addressHandshake(v *Visit, state *policy.AuthState) {
	add := func(name, value string) {
		state.Headers = append(state.Headers, policy.Header{Name: name, Value: value})
	}
	if a.relaxed.Handshakes {
		add("Access-Control-Allow-Origin", "null")
		add("Access-Control-Allow-Credentials", "true")
	} else if a.o.Production {
		add("Cache-Control", "no-store")
	}
	state.Forward.RemoveQuery = spentParams
	if u, ok := v.address(); ok && !a.o.Production && v.keepsCookies() {
		add("Location", u.WithForm(v.query.Without(spentParams...)).String())
		add("Cache-Control", "no-store")
	}
}

// keepsCookies reports whether the browser brought back the count of the
// handshake that it comes from. One that takes no cookies would come back from
// the clean address as it went, and be sent in circles: it is answered where it
// is.
func (v *Visit) keepsCookies() bool { return v.auth.relaxed.Loops || v.handshakes() > 0 }

// renewal are cookies for the browser, as Clerk words them.
type renewal struct {
	directives []string
	// session is the session token among them, the last of several.
	session string
}

// renewedCookies reads directives: name=value and attributes, as in Set-Cookie.
// It reports false where one cannot stand in a header field.
func renewedCookies(directives []string) (renewal, bool) {
	r := renewal{directives: directives}
	for _, directive := range directives {
		if strings.ContainsFunc(directive, func(c rune) bool { return c == '\r' || c == '\n' || c == 0 || c > 0xff }) {
			return renewal{}, false
		}
		if name, value := cookieOf(directive); strings.HasPrefix(name, sessionCookie) {
			r.session = value
			if name == directive {
				r.session = name // no value at all, which is no deletion either
			}
		}
	}
	return r, true
}

// cookieOf returns name and value of a directive.
func cookieOf(directive string) (name, value string) {
	head, _, _ := strings.Cut(directive, ";")
	name, value, _ = strings.Cut(head, "=")
	value, _, _ = strings.Cut(value, "=")
	return name, value
}

func (r renewal) headers() []policy.Header {
	var out []policy.Header
	for _, directive := range r.directives {
		out = append(out, policy.Header{Name: "Set-Cookie", Value: strings.Trim(directive, " \t")})
	}
	return out
}
