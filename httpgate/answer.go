package httpgate

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// Answer writes the response to a request that is not allowed: with the status, the
// fields and the body of the decision, or with a gRPC status if the client uses gRPC.
// The response to a HEAD request has no body. It returns the error of writing; the
// client may be gone.
//
// A decision that allows the request has no response: Answer then writes 403 without a
// body, and so it does for the zero Decision.
func Answer(w http.ResponseWriter, r *http.Request, d *policy.Decision) error {
	if d.GRPC != nil {
		answerGRPC(w, d)
		return nil
	}
	replaceFields(w.Header(), d.ResponseHeaders, nil)
	body, status := d.Body, d.Status
	if status < http.StatusMultipleChoices {
		body, status = nil, http.StatusForbidden
	}
	if len(body) == 0 {
		w.Header()["Content-Length"] = []string{"0"}
	}
	w.WriteHeader(status)
	if r.Method == http.MethodHead || len(body) == 0 {
		return nil
	}
	_, err := w.Write(body)
	return err
}

// AddFields adds the decision's response fields to the header of a response that another
// handler writes. If the request is allowed, it adds all of them. If not, because the
// handler writes a page in place of [Answer], it leaves out those about Answer's body.
func AddFields(header http.Header, d *policy.Decision) {
	if !d.Allowed() {
		replaceFields(header, d.ResponseHeaders, describesBody)
		return
	}
	for _, field := range d.ResponseHeaders {
		header.Add(field.Name, field.Value)
	}
}

// answerGRPC answers with a gRPC status alone, which the gRPC protocol over HTTP/2 calls
// Trailers-Only.
func answerGRPC(w http.ResponseWriter, d *policy.Decision) {
	replaceFields(w.Header(), d.ResponseHeaders, nil)
	w.Header()["Content-Type"] = []string{"application/grpc"}
	w.Header()["Grpc-Status"] = []string{strconv.FormatUint(uint64(d.GRPC.Code), 10)}
	w.Header()["Grpc-Message"] = []string{percentEncode(d.GRPC.Message)}
	w.WriteHeader(http.StatusOK)
}

// percentEncode encodes a message for the header grpc-message.
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

// replaceFields adds response fields in place of those of the same name that earlier
// handlers set, since the two could contradict each other, as cache lifetimes do.
// Set-Cookie and Vary are added. Fields for which skip is true are left out.
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

// describesBody reports whether a field describes the body of [Answer], and so would be
// wrong for another body.
func describesBody(name string) bool {
	return name == "Content-Type" || name == "Content-Security-Policy" || name == "X-Content-Type-Options"
}
