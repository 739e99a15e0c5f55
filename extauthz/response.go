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

// checkResponse is an envoy.service.auth.v3.CheckResponse. Each is made by ok, denied or
// failed, which all set the status: Envoy allows the request if the response has no
// status, or one with code 0.
type checkResponse struct {
	status   codes.Code
	message  string
	kind     protowire.Number // which http_response
	decision *policy.Decision
}

// ok allows the request, with the decision's edits (OkHttpResponse).
func ok(d *policy.Decision) checkResponse {
	return checkResponse{status: codes.OK, kind: okResponse, decision: d}
}

// denied answers the client in place of the upstream (DeniedHttpResponse).
func denied(d *policy.Decision) checkResponse {
	return checkResponse{status: rpcCode(d), message: string(d.Reason), kind: deniedResponse, decision: d}
}

// failed is an error to Envoy, which failure_mode_allow decides (error_response).
func failed(d *policy.Decision) checkResponse {
	return checkResponse{status: codes.Unavailable, message: string(d.Reason), kind: errorResponse, decision: d}
}

// rpcCode returns the gRPC status code of a decision that does not allow. It is never
// OK.
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

// clientStatus returns status, or 403 where it is not that of a response with a body.
func clientStatus(status int) int {
	if status < 200 || status > 599 || status == http.StatusNoContent || status == http.StatusResetContent || status == http.StatusNotModified {
		return http.StatusForbidden
	}
	return status
}

// framing are the headers about the length and the transport of the message, which
// Envoy sets itself.
var framing = [...]string{"content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te"}

func isFraming(name string) bool {
	return slices.ContainsFunc(framing[:], func(f string) bool { return strings.EqualFold(f, name) })
}

// valid reports whether Envoy accepts a header.
func valid(h policy.Header) bool { return validName(h.Name) && validValue(h.Value) }

// validName reports whether name is a token (RFC 9110 § 5.6.2), which excludes
// pseudo-headers.
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

// validValue reports whether a value is valid in a field (RFC 9110 § 5.5) and in a
// protobuf string, which is UTF-8. One invalid value would make the whole response
// invalid.
func validValue(value string) bool {
	for i := range len(value) {
		if c := value[i]; c < ' ' && c != '\t' || c == 0x7f {
			return false
		}
	}
	return utf8.ValidString(value)
}
