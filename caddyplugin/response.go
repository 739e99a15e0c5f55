package caddyplugin

import (
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// refuse answers a request that may not pass, or hands it to the site's error
// routes.
func (h *Handler) refuse(w http.ResponseWriter, r *http.Request, d *policy.Decision) error {
	switch {
	case d.GRPC != nil:
		return answerGRPC(w, d)
	case d.Outcome == policy.Redirect, r.Context().Value(caddyhttp.ErrorCtxKey) != nil: // error routes have no others
		return answer(w, r, d)
	}
	err := caddyhttp.Error(d.Status, refusal(d))
	server, _ := r.Context().Value(caddyhttp.ServerCtxKey).(*caddyhttp.Server)
	if server == nil || server.Errors == nil || !guardOf(server.Errors.Routes).takes(r, err) {
		return answer(w, r, d)
	}
	editRequest(r, d)
	replaceFields(w.Header(), d.ResponseHeaders, aboutBody)
	return err
}

// answer writes the decision's own answer.
func answer(w http.ResponseWriter, r *http.Request, d *policy.Decision) error {
	replaceFields(w.Header(), d.ResponseHeaders, nil)
	if len(d.Body) == 0 {
		w.Header()["Content-Length"] = []string{"0"}
	}
	w.WriteHeader(d.Status)
	var err error
	if r.Method != http.MethodHead && len(d.Body) > 0 {
		_, err = w.Write(d.Body)
	}
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

// answerGRPC answers with a gRPC status and nothing else (Trailers-Only, in the
// words of the gRPC protocol over HTTP/2).
func answerGRPC(w http.ResponseWriter, d *policy.Decision) error {
	replaceFields(w.Header(), d.ResponseHeaders, nil)
	w.Header()["Content-Type"] = []string{"application/grpc"}
	w.Header()["Grpc-Status"] = []string{strconv.FormatUint(uint64(d.GRPC.Code), 10)}
	w.Header()["Grpc-Message"] = []string{percentEncode(d.GRPC.Message)}
	w.WriteHeader(http.StatusOK)
	return nil
}

// percentEncode writes a message as the gRPC protocol wants it in a header.
func percentEncode(message string) string {
	var b strings.Builder
	for i := range len(message) {
		if c := message[i]; c < ' ' || c > '~' || c == '%' {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// addFields adds response fields; every entry is a field of its own.
func addFields(header http.Header, fields []policy.Header) {
	for _, field := range fields {
		header.Add(field.Name, field.Value)
	}
}

// replaceFields adds response fields in place of those of the same name that
// earlier handlers set, since the two would contradict each other: a cache
// lifetime, say. Cookies and Vary add up. Fields that skip reports are left out.
func replaceFields(header http.Header, fields []policy.Header, skip func(name string) bool) {
	for _, field := range fields {
		if name := http.CanonicalHeaderKey(field.Name); name != "Set-Cookie" && name != "Vary" {
			header.Del(name)
		}
	}
	for _, field := range fields {
		if skip == nil || !skip(http.CanonicalHeaderKey(field.Name)) {
			header.Add(field.Name, field.Value)
		}
	}
}

// aboutBody reports whether a field describes our own body, and so would be
// wrong about a site's.
func aboutBody(name string) bool {
	return name == "Content-Type" || name == "Content-Security-Policy" || name == "X-Content-Type-Options"
}
