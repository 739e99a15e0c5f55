package httpgate

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// Answer answers a request that may not pass: with the status, the fields and the
// body of the decision, or with a gRPC status where the caller speaks gRPC. A HEAD
// request gets no body. The error is that of writing; the client may be gone.
//
// A decision that lets the request pass has no answer: it is answered as a refusal
// without a body, by 403, and so is the zero Decision.
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

// AddFields adds the decision's response fields to an answer that another handler
// writes: all of them where the request passes, and where it does not, for a page
// that stands in for [Answer]'s, those that do not describe Answer's body.
func AddFields(header http.Header, d *policy.Decision) {
	if !d.Allowed() {
		replaceFields(header, d.ResponseHeaders, aboutBody)
		return
	}
	for _, field := range d.ResponseHeaders {
		header.Add(field.Name, field.Value)
	}
}

// answerGRPC answers with a gRPC status and nothing else (Trailers-Only, in the
// words of the gRPC protocol over HTTP/2).
func answerGRPC(w http.ResponseWriter, d *policy.Decision) {
	replaceFields(w.Header(), d.ResponseHeaders, nil)
	w.Header()["Content-Type"] = []string{"application/grpc"}
	w.Header()["Grpc-Status"] = []string{strconv.FormatUint(uint64(d.GRPC.Code), 10)}
	w.Header()["Grpc-Message"] = []string{percentEncode(d.GRPC.Message)}
	w.WriteHeader(http.StatusOK)
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
// wrong about another's.
func aboutBody(name string) bool {
	return name == "Content-Type" || name == "Content-Security-Policy" || name == "X-Content-Type-Options"
}
