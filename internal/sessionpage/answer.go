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

// problem is an error response: problem details (RFC 9457) with an error string and a
// stable reason, as those of the policy.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Error  string `json:"error"`
	Reason string `json:"reason"`
	// Revoked are the sessions that have ended before the error.
	Revoked []string `json:"revoked,omitempty"`
}

func newProblem(status int, reason, detail string) problem {
	title := http.StatusText(status)
	return problem{Type: "about:blank", Title: title, Status: status, Detail: detail, Reason: reason,
		Error: strings.ReplaceAll(strings.ToLower(title), " ", "_")}
}

// problemOf returns the policy's problem for a reason.
func problemOf(reason policy.Reason) problem {
	return newProblem(reason.Status(), string(reason), reason.Detail())
}

// The problems for which the policy has no reason.
var (
	methodNotAllowed = newProblem(http.StatusMethodNotAllowed, "method-not-allowed", "This address does not take this method.")
	crossOrigin      = newProblem(http.StatusForbidden, "cross-origin-request", "This request comes from another site, so nothing was changed.")
	noSession        = newProblem(http.StatusNotFound, "session-not-found", "You have no such session.")
	clerkUnavailable = newProblem(http.StatusServiceUnavailable, string(policy.ReasonClerkUnavailable), "Clerk cannot be reached right now. Try again in a moment.")
	clerkRefused     = newProblem(http.StatusBadGateway, "clerk-refused", "Clerk did not do what was asked. Try again, or ask whoever runs this site.")
	edgeUnavailable  = newProblem(http.StatusServiceUnavailable, "revocation-unavailable",
		"The session has ended at Clerk, but this site could not be told: it may go on working here for about a minute. Try again to be sure.")
)

// answerError answers with the problem of an error. It logs those with status 500 and
// above. ended are the sessions that have ended before the error.
func (q *pageRequest) answerError(err error, ended []string) {
	p := clerkUnavailable
	switch {
	case errors.Is(err, errNotFound):
		p = noSession
	case errors.Is(err, errEdge):
		p = edgeUnavailable
	case errors.Is(err, errRefused):
		p = clerkRefused
	}
	if p.Status >= http.StatusInternalServerError {
		q.options.Logger.Error("session page", "reason", p.Reason, "error", err, "user_id", q.principal.UserID)
	}
	p.Revoked = ended
	q.answerProblem(p)
}

// answerProblem answers with a problem, as HTML or JSON.
func (q *pageRequest) answerProblem(p problem) {
	if p.Status == http.StatusServiceUnavailable {
		q.w.Header().Set("Retry-After", "5")
	}
	if q.html {
		q.writePage(p.Status, "problem", p)
		return
	}
	q.write(p.Status, "application/problem+json", p)
}

func (q *pageRequest) writeJSON(status int, body any) { q.write(status, "application/json", body) }

func (q *pageRequest) write(status int, contentType string, body any) {
	q.setPrivateHeaders()
	q.w.Header().Set("Content-Type", contentType)
	q.w.WriteHeader(status)
	if q.r.Method != http.MethodHead {
		_ = json.NewEncoder(q.w).Encode(body) // the client may be gone
	}
}

// setPrivateHeaders sets the headers that keep a response out of caches and frames.
func (q *pageRequest) setPrivateHeaders() {
	header := q.w.Header()
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept, Authorization, Cookie")
	header.Set("Content-Security-Policy", q.csp)
	header.Set("X-Content-Type-Options", "nosniff")
	header.Set("Referrer-Policy", "same-origin")
}

// maxAccept bounds the Accept field for content negotiation, in bytes.
const maxAccept = 1024

// wantsPage reports whether the response is HTML: by Accept, or where that accepts
// everything, if a form was sent.
func wantsPage(r *http.Request) bool {
	accept := r.Header.Get("Accept")
	if accept == "" || accept == "*/*" || len(accept) > maxAccept {
		kind, _, _ := mime.ParseMediaType(r.Header.Get("Content-Type"))
		return kind == "application/x-www-form-urlencoded" || kind == "multipart/form-data"
	}
	return goautoneg.Negotiate(accept, []string{"application/json", "application/problem+json", "text/html"}) == "text/html"
}
