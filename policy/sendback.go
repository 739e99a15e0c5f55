package policy

import (
	"net/http"
	"slices"
	"strings"
)

// sentBack is the cookie by which a browser that was sent back just now is known. It may
// keep that one and not those that it is sent back for, or send those again to no page
// that another site leads to (SameSite=Strict).
const (
	sentBack       = "__clerkgate_sent_back"
	sentBackCookie = sentBack + "=1; Path=/; Max-Age=10; HttpOnly; SameSite=Lax"
)

// sendBack turns a decision that allows into one that sends the browser to the page that
// it asked for, where the proxy would not give it the cookies that came with the
// decision, or would forward what must end here in the query.
func (e *evaluation) sendBack(d *Decision) {
	if !e.request.AnswersAlone || !e.facts.isNavigation(e.request.Method) {
		return
	}
	setsCookies := slices.ContainsFunc(d.ResponseHeaders, func(h Header) bool { return strings.EqualFold(h.Name, "Set-Cookie") })
	if len(d.RemoveQuery) == 0 && !setsCookies || !e.mayBeSentBack() {
		return
	}
	site, ok := e.policy.signIn.originOf(e.returnTarget, e.scheme)
	if !ok {
		return
	}
	d.Outcome, d.Status = Redirect, http.StatusTemporaryRedirect
	d.ResponseHeaders = append(slices.Clip(d.ResponseHeaders), answerHeaders...)
	d.add("Set-Cookie", sentBackCookie)
	to := site + e.returnTarget.Path
	if query := d.KeptQuery(e.returnTarget.Query); query != "" {
		to += "?" + query
	}
	d.add("Location", to)
	d.SetHeaders, d.RemoveQuery = nil, nil
}

// mayBeSentBack reports whether the browser keeps cookies, and was not sent back just
// now: otherwise it could be sent in circles.
func (e *evaluation) mayBeSentBack() bool {
	var keepsCookies bool
	for _, h := range e.request.Headers {
		if isCookie(h) {
			keepsCookies = true
			if strings.Contains(h.Value, sentBack+"=") {
				return false
			}
		}
	}
	return keepsCookies
}
