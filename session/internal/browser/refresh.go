package browser

import (
	"context"
	"errors"
	"net/http"
	"slices"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// refreshed renews an expired session: the Backend API gives a new token for the
// expired one and the refresh cookie. Where it does not, the browser is sent to
// the Frontend API. Whoever can be sent nowhere is told of an outage where Clerk had
// no answer: nobody was signed out.
func (a *Authenticator) refreshed(ctx context.Context, v *Visit, expired string, cause error) policy.AuthState {
	state, why := a.refresh(ctx, v, expired)
	if why == "" {
		return state
	}
	renewed := a.renew(v, why, cause)
	if state.Status == policy.Unavailable && renewed.Status != policy.Handshake {
		return state
	}
	return renewed
}

// maxRefresh bounds a refresh token, in bytes. Longer ones are not asked with.
const maxRefresh = 2 << 10

// refresh returns the state of a refreshed session, or why it was not, with the
// state of an outage where that is why.
func (a *Authenticator) refresh(ctx context.Context, v *Visit, expired string) (policy.AuthState, policy.Reason) {
	switch {
	case !v.isGet():
		return policy.AuthState{}, policy.ReasonExpiredNotGet
	case v.cookies.refresh.value == "", !a.relaxed.Renewals && !calls.IsPrintable(v.cookies.refresh.value, maxRefresh):
		return policy.AuthState{}, policy.ReasonExpiredNoRefreshCookie
	case a.o.SecretKey == "":
		return policy.AuthState{}, policy.ReasonExpiredNoClient
	}
	if a.relaxed.Renewals {
		expired = v.sessionToken()
	}
	id, why := a.expiredSession(expired)
	if why != "" {
		return policy.AuthState{}, why
	}
	directives, err := a.askRefresh(ctx, v, id, expired)
	switch {
	case err != nil && !a.relaxed.Renewals && isNoWordOnRefresh(err):
		return outage(err), whyNotRefreshed(err, false)
	case err != nil:
		return policy.AuthState{}, whyNotRefreshed(err, a.relaxed.Renewals)
	case len(directives) == 0:
		return policy.AuthState{}, policy.ReasonExpiredRefreshEmpty
	}
	renewed, ok := renewedCookies(directives)
	if !ok {
		return policy.AuthState{}, policy.ReasonExpiredRefreshEmpty
	}
	if renewed.session == "" {
		return policy.AuthState{}, policy.ReasonExpiredRefreshedInvalid
	}
	state, err := a.arrived(ctx, v, renewed)
	switch {
	case err != nil && isKeyOutage(err) && !a.relaxed.Outages:
		return failed(err), policy.ReasonExpiredRefreshedInvalid
	case err != nil:
		return policy.AuthState{}, policy.ReasonExpiredRefreshedInvalid
	}
	if !a.relaxed.Renewals {
		state.Headers = append(state.Headers, policy.Header{Name: "Cache-Control", Value: "no-store"})
	}
	return state, ""
}

// isNoWordOnRefresh reports whether an error says nothing about a refresh. Here 401
// and 403 do: they are what a refresh token gets that does not hold.
func isNoWordOnRefresh(err error) bool {
	e, answered := errors.AsType[*calls.AnswerError](err)
	refused := answered && (e.Status == http.StatusUnauthorized || e.Status == http.StatusForbidden)
	return !refused && isNoVerdict(err)
}

// outage is the state of a request about which Clerk had no answer.
func outage(err error) policy.AuthState {
	return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonClerkUnavailable, Presented: true, Cause: err}
}

// expiredSession returns the id of the session that a token names. By default
// the token is the one whose signature was checked, and the id has the form of
// one.
func (a *Authenticator) expiredSession(token string) (id string, why policy.Reason) {
	t, err := unverified.Decode(token, a.relaxed, nil)
	if err != nil {
		return "", policy.ReasonExpiredUnreadable
	}
	id = claim.Text(t.Claims, "sid")
	if number, ok := t.Claims["sid"].(float64); ok && a.relaxed.Renewals {
		id = strconv.FormatFloat(number, 'f', -1, 64)
	}
	switch {
	case id == "", !a.relaxed.Renewals && !calls.IsSessionID(id):
		return "", policy.ReasonExpiredNoSessionID
	case climbs(id):
		return "", policy.ReasonExpiredRefreshRefused
	}
	return id, ""
}

// climbs reports whether an id, put into a path, leads out of its place.
func climbs(id string) bool {
	for segment := range strings.FieldsFuncSeq(compat.DecodeURIComponent(id), func(r rune) bool { return r == '/' || r == '\\' }) {
		if segment == "." || segment == ".." {
			return true
		}
	}
	return false
}

// askRefresh asks Clerk for the cookies of a refreshed session.
func (a *Authenticator) askRefresh(ctx context.Context, v *Visit, id, expired string) ([]string, error) {
	refresh := v.cookies.refresh.value
	asked := refreshRequest{
		Format: "cookie", ExpiredToken: expired, RefreshToken: refresh,
		RequestHeaders: a.passedOn(v),
	}
	if u, ok := v.address(); ok {
		asked.RequestOrigin = u.Origin()
	}
	return a.backend.refresh(calls.Because(ctx, calls.ForRefresh, calls.CausedBy(v.request)), id, v.suffixed, asked, v.now)
}

// refreshRequest is what the Backend API wants to know of a refresh.
type refreshRequest struct {
	Format         string              `json:"format"`
	ExpiredToken   string              `json:"expired_token"`
	RefreshToken   string              `json:"refresh_token"`
	RequestOrigin  string              `json:"request_origin"`
	RequestHeaders map[string][]string `json:"request_headers"`
}

// passedOn are the fields of the request that Clerk gets to see: by default
// those that tell the browser and where it is, and none that authorize.
func (a *Authenticator) passedOn(v *Visit) map[string][]string {
	out := map[string][]string{}
	for _, h := range v.request.Headers {
		name := strings.ToLower(h.Name)
		if !a.relaxed.Renewals && !isTelling(name) {
			continue
		}
		if before, ok := out[name]; ok {
			separator := ", "
			if name == "cookie" {
				separator = "; "
			}
			out[name] = []string{before[0] + separator + h.Value}
		} else {
			out[name] = []string{h.Value}
		}
	}
	return out
}

var tellingFields = []string{"user-agent", "accept-language", "origin", "referer", "x-forwarded-for"}

func isTelling(name string) bool {
	return slices.Contains(tellingFields, name) || strings.HasPrefix(name, "sec-ch-") || strings.HasPrefix(name, "cf-")
}
