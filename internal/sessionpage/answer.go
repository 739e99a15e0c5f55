package sessionpage

import (
	"encoding/json"
	"errors"
	"mime"
	"net/http"
	"strings"

	"github.com/munnerz/goautoneg"

	"github.com/clerkgate/clerkgate/policy"
)

// problem is an answer that something is wrong: problem details (RFC 9457) with
// an error string and a stable reason, as the policy's own.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Error  string `json:"error"`
	Reason string `json:"reason"`
	// Revoked are the sessions that have ended all the same.
	Revoked []string `json:"revoked,omitempty"`
}

func newProblem(status int, reason, detail string) problem {
	title := http.StatusText(status)
	return problem{Type: "about:blank", Title: title, Status: status, Detail: detail, Reason: reason,
		Error: strings.ReplaceAll(strings.ToLower(title), " ", "_")}
}

// problemOf is the answer that the policy has for a reason.
func problemOf(reason policy.Reason) problem {
	return newProblem(reason.Status(), string(reason), reason.Detail())
}

// The problems that the policy has no word for.
var (
	methodNotAllowed = newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "This address does not take this method.")
	crossOrigin      = newProblem(http.StatusForbidden, "cross-origin-request", "This request comes from another site, so nothing was changed.")
	noSession        = newProblem(http.StatusNotFound, "session-not-found", "You have no such session.")
	clerkAway        = newProblem(http.StatusServiceUnavailable, string(policy.ReasonClerkUnavailable), "Clerk cannot be reached right now. Try again in a moment.")
	clerkRefused     = newProblem(http.StatusBadGateway, "clerk-refused", "Clerk did not do what was asked. Try again, or ask whoever runs this site.")
	edgeAway         = newProblem(http.StatusServiceUnavailable, "revocation-unavailable",
		"The session has ended at Clerk, but this site could not be told: it may go on working here for about a minute. Try again to be sure.")
)

// fail answers an error, and logs it. Sessions that ended all the same are
// named.
func (v *visit) fail(err error, ended []string) {
	p := clerkAway
	switch {
	case errors.Is(err, errNotFound):
		p = noSession
	case errors.Is(err, errEdge):
		p = edgeAway
	case errors.Is(err, errRefused):
		p = clerkRefused
	}
	if p.Status >= http.StatusInternalServerError {
		v.options.Logger.Error("session page", "reason", p.Reason, "error", err, "user_id", v.who.UserID)
	}
	p.Revoked = ended
	v.refuse(p)
}

// refuse answers with a problem.
func (v *visit) refuse(p problem) {
	if p.Status == http.StatusServiceUnavailable {
		v.w.Header().Set("Retry-After", "5")
	}
	if v.page {
		v.writePage(p.Status, "problem", p)
		return
	}
	v.write(p.Status, "application/problem+json", p)
}

func (v *visit) writeJSON(status int, body any) { v.write(status, "application/json", body) }

func (v *visit) write(status int, contentType string, body any) {
	v.keepPrivate()
	v.w.Header().Set("Content-Type", contentType)
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_ = json.NewEncoder(v.w).Encode(body) // the client may be gone
	}
}

// keepPrivate keeps an answer out of caches and frames: it is for one person.
func (v *visit) keepPrivate() {
	header := v.w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept, Authorization, Cookie")
	header.Set("Content-Security-Policy", v.security)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
}

// maxAccept bounds the Accept field that is negotiated on, in bytes.
const maxAccept = 1024

// wantsPage reports whether an answer is for people: by Accept, and where that
// minds nothing, by whether a form was sent.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	if accept == "" || accept == "*/*" || len(accept) > maxAccept {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		return kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
	}
	return goautoneg.Negotiate(accept, []string{"application/json", "application/problem+json", "text/html"}) == "text/html"
}
