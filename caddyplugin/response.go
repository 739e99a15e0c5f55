package caddyplugin

import (
	"errors"
	"net/http"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/policy"
)

// refuse answers a request that may not pass, or hands it to the site's error
// routes.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, d *policy.Decision) error {
	if d.GRPC != nil || d.Outcome == policy.Redirect || r.Context().Value(caddyhttp.ErrorCtxKey) != nil { // error routes have no others
		return answer(w, r, d)
	}
	err := caddyhttp.Error(d.Status, refusal(d))
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.Errors == nil || !guardOf(server.Errors.Routes).takes(r, err) {
		return answer(w, r, d)
	}
	httpgate.Edit(r, d)
	httpgate.AddFields(w.Header(), d)
	return err
}

// answer writes the decision's own answer.
func answer(w http.ResponseWriter, r *http.Request, d *policy.Decision) error {
	err := httpgate.Answer(w, r, d)
	hideLocation(w, r, d.Status)
	return err
}

// takesError reports whether one of the routes handles the error that r
// carries. Routes of other sites, and for other statuses, do not.
func takesError(routes caddyhttp.RouteList, r *http.Request) bool {
	for _, route := range routes {
		if matches, err := route.MatcherSets.AnyMatchWithError(r); err != nil || !matches {
			continue
		}
		for _, handler := range route.Handlers {
			subroute, ok := handler.(*caddyhttp.Subroute)
			if !ok || takesError(subroute.Routes, r) {
				return true
			}
		}
	}
	return false
}

// refusal is the error that error routes and the server's log are told. It says
// no more than the answer would.
func refusal(d *policy.Decision) error {
	if d.Status != d.Reason.Status() {
		return errors.New(http.StatusText(d.Status))
	}
	return errors.New(d.Reason.Detail())
}
