package extauthz

//lint:file-ignore SA1019 released Envoys disagree on what append_action says without the deprecated append

import (
	"net/http"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	typev3 "github.com/envoyproxy/go-control-plane/envoy/type/v3"
	rpcstatus "google.golang.org/genproto/googleapis/rpc/status"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/clerkgate/clerkgate/policy"
)

// Every CheckResponse is made by ok, denied or failed, which all set the status:
// to Envoy a response without one, or with code 0, means that the request may
// pass.

// ok lets the request pass with the decision's edits.
func ok(d *policy.Decision) *authv3.CheckResponse {
	set, lost := requestHeaders(d.SetHeaders)
	return &authv3.CheckResponse{
		Status: &rpcstatus.Status{Code: int32(codes.OK)},
		HttpResponse: &authv3.CheckResponse_OkResponse{OkResponse: &authv3.OkHttpResponse{
			Headers:              set,
			HeadersToRemove:      removals(d.RemoveHeaders, lost, set),
			ResponseHeadersToAdd: responseHeaders(d.ResponseHeaders, add),
		}},
	}
}

// denied answers the client in the upstream's place.
func denied(d *policy.Decision) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(rpcCode(d)), Message: string(d.Reason)},
		HttpResponse: &authv3.CheckResponse_DeniedResponse{DeniedResponse: clientResponse(d)},
	}
}

// failed is what Envoy counts as an error, and treats by failure_mode_allow.
func failed(d *policy.Decision) *authv3.CheckResponse {
	return &authv3.CheckResponse{
		Status:       &rpcstatus.Status{Code: int32(codes.Unavailable), Message: string(d.Reason)},
		HttpResponse: &authv3.CheckResponse_ErrorResponse{ErrorResponse: clientResponse(d)},
	}
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

// isOutage reports whether the reason is that something we need is out of
// reach, which no client can bring about.
func isOutage(reason policy.Reason) bool {
	switch reason {
	case policy.ReasonKeysUnavailable, policy.ReasonClerkUnavailable, policy.ReasonLimiterUnavailable:
		return true
	}
	return false
}

// clientResponse is the answer to the client. A gRPC caller gets its status in
// grpc-status, which Envoy keeps, and the message in the body, which Envoy
// turns into grpc-message.
func clientResponse(d *policy.Decision) *authv3.DeniedHttpResponse {
	response := &authv3.DeniedHttpResponse{
		Status:  &typev3.HttpStatus{Code: typev3.StatusCode(clientStatus(d.Status))},
		Headers: responseHeaders(d.ResponseHeaders, replace),
		Body:    strings.ToValidUTF8(string(d.Body), "\uFFFD"),
	}
	if d.GRPC != nil {
		response.Body = strings.ToValidUTF8(d.GRPC.Message, "\uFFFD")
		response.Headers = append(response.Headers, &corev3.HeaderValueOption{
			Header: &corev3.HeaderValue{Key: "grpc-status", Value: strconv.Itoa(int(rpcCode(d)))},
		})
	}
	return response
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

// An action says what Envoy does with a header. Envoy's releases disagree on
// what follows from append, from append_action and from neither, so each action
// says it in the way that comes out the same in all of them.
type action func(*corev3.HeaderValueOption)

// Shared by all responses, and never changed.
var appendFalse, appendTrue = wrapperspb.Bool(false), wrapperspb.Bool(true)

// overwrite replaces what the client sent.
func overwrite(o *corev3.HeaderValueOption) {
	o.Append = appendFalse
	o.AppendAction = corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD
}

// add keeps what the upstream sent, and every entry of ours.
func add(o *corev3.HeaderValueOption) { o.Append = appendTrue }

// replace puts all entries of ours in place of Envoy's own. With append true,
// Envoy would drop them.
func replace(*corev3.HeaderValueOption) {}

// requestHeaders are what to set upstream, and the names whose values a header
// cannot hold: those must go, or the client's own would stay.
func requestHeaders(headers []policy.Header) (set []*corev3.HeaderValueOption, lost []string) {
	for _, h := range headers {
		if !validName(h.Name) || !validValue(h.Value) {
			lost = append(lost, h.Name)
		}
	}
	return options(headers, overwrite, func(h policy.Header) bool { return true }), lost
}

// responseHeaders are what the client gets, without what Envoy computes itself.
func responseHeaders(headers []policy.Header, a action) []*corev3.HeaderValueOption {
	return options(headers, a, func(h policy.Header) bool { return !isFraming(h.Name) })
}

func options(headers []policy.Header, a action, keep func(policy.Header) bool) []*corev3.HeaderValueOption {
	if len(headers) == 0 {
		return nil
	}
	list := make([]*corev3.HeaderValueOption, 0, len(headers))
	memory := make([]struct {
		option corev3.HeaderValueOption
		header corev3.HeaderValue
	}, len(headers))
	for i, h := range headers {
		if !validName(h.Name) || !validValue(h.Value) || !keep(h) {
			continue
		}
		m := &memory[i]
		m.header.Key, m.header.Value = strings.ToLower(h.Name), h.Value
		m.option.Header = &m.header
		a(&m.option)
		list = append(list, &m.option)
	}
	return list
}

// removals are the names to remove, in lower case and without those set: Envoy
// removes after it sets.
func removals(names, lost []string, set []*corev3.HeaderValueOption) []string {
	list := make([]string, 0, len(names)+len(lost))
	for _, name := range slices.Concat(names, lost) {
		name = strings.ToLower(name)
		isSet := slices.ContainsFunc(set, func(o *corev3.HeaderValueOption) bool { return o.Header.Key == name })
		if !isSet && utf8.ValidString(name) {
			list = append(list, name)
		}
	}
	return list
}

// isFraming reports whether a header says how the message is delimited or
// carried, which is Envoy's to say.
func isFraming(name string) bool {
	switch strings.ToLower(name) {
	case "content-length", "transfer-encoding", "connection", "keep-alive", "upgrade", "trailer", "te":
		return true
	}
	return false
}

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
