package extauthz

import (
	"net/http"
	"slices"
	"strings"
	"unicode/utf8"

	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clerkgate/clerkgate/policy"
)

// checkResponse is an envoy.service.auth.v3.CheckResponse. Each is made by ok,
// denied or failed, which all set the status: to Envoy a response without one, or
// with code 0, means that the request may pass.
type checkResponse struct {
	status   codes.Code
	message  string
	kind     protowire.Number // which http_response
	decision *policy.Decision
}

// ok lets the request pass with the decision's edits.
func ok(d *policy.Decision) checkResponse {
	return checkResponse{status: codes.OK, kind: okResponse, decision: d}
}

// denied answers the client in the upstream's place.
func denied(d *policy.Decision) checkResponse {
	return checkResponse{status: rpcCode(d), message: string(d.Reason), kind: deniedResponse, decision: d}
}

// failed is what Envoy counts as an error, and treats by failure_mode_allow.
func failed(d *policy.Decision) checkResponse {
	return checkResponse{status: codes.Unavailable, message: string(d.Reason), kind: errorResponse, decision: d}
}

// refusal is a decision made here, where there was nothing to ask the policy.
func refusal(reason policy.Reason) policy.Decision {
	d := policy.Decision{Status: reason.Status(), Reason: reason, Body: []byte(reason.Detail() + "\n"), ResponseHeaders: []policy.Header{
		{Name: "content-type", Value: "text/plain; charset=utf-8"},
		{Name: "cache-control", Value: "no-store"},
	}}
	if d.Status >= http.StatusInternalServerError {
		d.Outcome = policy.Error
	}
	return d
}

// rpcCode is the gRPC status of a refusal. It is never OK.
func rpcCode(d *policy.Decision) codes.Code {
	switch {
	case d.GRPC != nil && d.GRPC.Code != uint32(codes.OK) && d.GRPC.Code <= uint32(codes.Unauthenticated):
		return codes.Code(d.GRPC.Code)
	case d.Outcome == policy.Error:
		return codes.Unavailable
	case d.Status == http.StatusUnauthorized:
		return codes.Unauthenticated
	}
	return codes.PermissionDenied
}

// clientStatus is 403 for what is no status of an answer with a body.
func clientStatus(status int) int {
	if status < 200 || status > 599 || status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusNotModified {
		return http.StatusForbidden
	}
	return status
}

// framing are the headers that say how the message is delimited or carried,
// which is Envoy's to say.
var framing = [...]string{"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te"}

func isFraming(name string) bool {
	return slices.ContainsFunc(framing[:], func(f string) bool { return strings.EqualFold(f, name) })
}

// valid reports whether a header can be one of Envoy's.
func valid(h policy.Header) bool { return validName(h.Name) && validValue(h.Value) }

// validName reports whether name is a token (RFC 9110 § 5.6.2); pseudo headers
// are not.
func validName(name string) bool {
	for i := range len(name) {
		switch c := name[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte("!#$%&'*+-.^_`|~", c) >= 0:
		default:
			return false
		}
	}
	return name != ""
}

// validValue reports whether a value can stand in a field (RFC 9110 § 5.5) and
// in a protobuf string, whose bytes are UTF-8. A single one that could not would
// fail the whole response.
func validValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(value)
}
