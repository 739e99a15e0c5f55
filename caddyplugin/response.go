package caddyplugin

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// deny answers a request that is not allowed, or returns an error for the site's error
// routes.
func (h *Handler) deny(w http.ResponseWriter, r *http.Request, d *policy.Decision) error {
	if d.GRPC != nil || d.Outcome == policy.Redirect || r.Context().Value(caddyhttp.ErrorCtxKey) != nil { // error routes have no error routes
		return answer(w, r, d)
	}
	err := caddyhttp.Error(d.Status, denialError(d))
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.Errors == nil || !errorGuardOf(server.Errors.Routes).handles(r, err) {
		return answer(w, r, d)
	}
	httpgate.Edit(r, d)
	httpgate.AddFields(w.Header(), d)
	return err
}

// answer writes the response of a decision that does not allow the request.
func answer(w http.ResponseWriter, r *http.Request, d *policy.Decision) error {
	err := httpgate.Answer(w, r, d)
	hideLocation(w, r, d.Status)
	return err
}

// handlesError reports whether one of the routes handles the error that r carries:
// one whose matchers match the site and the status.
func handlesError(routes caddyhttp.RouteList, r *http.Request) bool {
	for _, route := range routes {
		if matches, err := route.MatcherSets.AnyMatchWithError(r); err != nil || !matches {
			continue
		}
		for _, handler := range route.Handlers {
			subroute, ok := handler.(*caddyhttp.Subroute)
			if !ok || handlesError(subroute.Routes, r) {
				return true
			}
		}
	}
	return false
}

// denialError returns the error for the error routes and the server's log. It has no
// more detail than the response would have.
func denialError(d *policy.Decision) error {
	if d.Status != d.Reason.Status() {
		return errors.New(http.StatusText(d.Status))
	}
	return errors.New(d.Reason.Detail())
}
