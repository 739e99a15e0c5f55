package browser

import (
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// syncSatellite asks the primary domain whether the browser is signed in there:
// on the first visit where that is configured, and when the browser comes from
// signing in.
func (a *Authenticator) syncSatellite(v *Visit) (policy.AuthState, bool) {
	if !a.o.Satellite || !v.isDocument() {
		return policy.AuthState{}, false
	}
	synced := v.param(paramSynced)
	known := v.cookieToken() != "" || v.clientUAT() != 0
	switch {
	case synced == "true", known && synced != "false":
		return policy.AuthState{}, false
	case !a.o.SatelliteAutoSync && synced != "false":
		return a.signedOut(v, policy.ReasonSessionMissing), true
	case a.o.Production:
		return a.renew(v, policy.ReasonSatelliteSync, nil), true
	}
	return a.send(v, policy.ReasonSatelliteSync, nil, func() (string, bool) { return a.primaryURL(v) }), true
}

// primaryURL is the sign-in page of the primary domain, which sends the browser
// back (see answerSatellite): development instances share no cookies between
// domains that the Frontend API could look at.
func (a *Authenticator) primaryURL(v *Visit) (string, bool) {
	page, ok := weburl.Parse(a.o.SignInURL)
	back, known := v.address()
	if !ok || !known {
		return "", false
	}
	return page.WithForm(append(page.Form(), weburl.Pair{Name: paramReturn, Value: back.String()})).String(), true
}

// answerSatellite is the primary domain's side: it sends the browser back to the
// satellite with the token that names it to the development instance.
func (a *Authenticator) answerSatellite(v *Visit) (policy.AuthState, bool) {
	if a.o.Production || a.o.Satellite {
		return policy.AuthState{}, false
	}
	text := v.param(paramReturn)
	if text == "" || !a.relaxed.Returns && !isSatelliteURL(text, a.o.AuthorizedParties) {
		return policy.AuthState{}, false
	}
	back, ok := weburl.Parse(text)
	if !ok {
		return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonReturnMalformed}, true
	}
	query := back.Form()
	if browser := v.devBrowser(); browser != "" {
		query = append(query, weburl.Pair{Name: paramDevBrowser, Value: browser})
	}
	location := back.WithForm(query.Set(paramSynced, "true")).String()
	return a.send(v, policy.ReasonPrimaryResponds, nil, func() (string, bool) { return location, true }), true
}

// isSatelliteURL reports whether an address is one of this application's own.
func isSatelliteURL(text string, parties []string) bool {
	return text[0] != '/' && weburl.IsSafeRedirect(text, parties)
}

// checkDevBrowser has browsers named that a development instance does not know.
// Production instances know them by cookies of their own.
func (a *Authenticator) checkDevBrowser(v *Visit) (policy.AuthState, bool) {
	switch {
	case a.o.Production:
		return policy.AuthState{}, false
	case v.hasParam(paramDevBrowser):
		return a.renew(v, policy.ReasonDevBrowserSync, nil), true
	case v.devBrowser() == "":
		return a.renew(v, policy.ReasonDevBrowserMissing, nil), true
	}
	return policy.AuthState{}, false
}
