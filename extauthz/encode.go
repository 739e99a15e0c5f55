package extauthz

import (
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clerkgate/clerkgate/policy"
)

// Responses are encoded by hand: making and encoding the generated types costs more than
// the decision. The tests compare the two.

// usualResponse is the initial capacity for a response with an identity, in bytes.
const usualResponse = 1 << 10

// Field numbers, by message.
const (
	// CheckResponse
	responseStatus   = 1
	deniedResponse   = 2
	okResponse       = 3
	responseMetadata = 4
	errorResponse    = 5
	// google.rpc.Status
	statusCode    = 1
	statusMessage = 2
	// OkHttpResponse
	okHeaders         = 2
	okHeadersToRemove = 5
	okResponseHeaders = 6
	okQueryToRemove   = 8
	// DeniedHttpResponse
	deniedStatus  = 1
	deniedHeaders = 2
	deniedBody    = 3
	// envoy.type.v3.HttpStatus
	httpStatusCode = 1
	// envoy.config.core.v3.HeaderValueOption
	optionHeader       = 1
	optionAppend       = 2
	optionAppendAction = 3
	// envoy.config.core.v3.HeaderValue
	headerKey   = 1
	headerValue = 2
	// google.protobuf.BoolValue
	boolValue = 1
)

// An action appends the fields of a HeaderValueOption that say what Envoy does with the
// header. Envoy's releases differ in what append, append_action and neither of them
// mean, so each action uses the fields that mean the same in all of them.
type action func([]byte) []byte

// overwrite replaces the client's header.
func overwrite(b []byte) []byte {
	b = appendTag(b, optionAppend, 0) // a BoolValue of false
	return appendNumber(b, optionAppendAction, uint64(corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
}

// add keeps the upstream's header, and adds every value of ours.
func add(b []byte) []byte {
	return appendMessage(b, optionAppend, func(b []byte) []byte { return appendNumber(b, boolValue, 1) })
}

// replace replaces Envoy's own header by all values of ours. With append true, Envoy
// would drop them.
func replace(b []byte) []byte { return b }

// encode encodes the response with the dynamic metadata of its decision.
func (r checkResponse) encode(id uint64) encoded {
	b := make([]byte, 0, usualResponse+len(r.decision.Body))
	b = appendMessage(b, responseStatus, func(b []byte) []byte {
		b = appendNumber(b, statusCode, uint64(r.status))
		return appendString(b, statusMessage, r.message)
	})
	b = appendMessage(b, r.kind, func(b []byte) []byte {
		if r.kind == okResponse {
			return appendEdits(b, r.decision)
		}
		return appendDenied(b, r.decision)
	})
	return appendMessage(b, responseMetadata, func(b []byte) []byte {
		return appendMetadata(b, r.decision, id)
	})
}

// appendEdits appends the fields of an OkHttpResponse.
func appendEdits(b []byte, d *policy.Decision) []byte {
	for _, h := range d.SetHeaders {
		if valid(h) {
			b = appendHeader(b, okHeaders, h, overwrite)
		} else {
			// What cannot be set must be removed, or the client's own header would stay.
			b = appendRemoval(b, h.Name, d.SetHeaders)
		}
	}
	for _, name := range d.RemoveHeaders {
		b = appendRemoval(b, name, d.SetHeaders)
	}
	b = appendResponseHeaders(b, okResponseHeaders, d.ResponseHeaders, add)
	for _, name := range d.RemoveQuery {
		b = appendString(b, okQueryToRemove, name)
	}
	return b
}

// appendRemoval appends the name of a header to remove, unless it is set: Envoy
// removes after it sets.
func appendRemoval(b []byte, name string, set []policy.Header) []byte {
	isSet := slices.ContainsFunc(set, func(h policy.Header) bool {
		// Of equal length, since EqualFold also equates letters beyond ASCII.
		return len(h.Name) == len(name) && strings.EqualFold(h.Name, name) && valid(h)
	})
	if isSet || !utf8.ValidString(name) {
		return b
	}
	return appendName(b, okHeadersToRemove, name)
}

// appendDenied appends the fields of a DeniedHttpResponse, the response to the client. A
// gRPC client gets its status in grpc-status, which Envoy keeps, and the message in the
// body, which Envoy moves to grpc-message.
func appendDenied(b []byte, d *policy.Decision) []byte {
	b = appendMessage(b, deniedStatus, func(b []byte) []byte {
		return appendNumber(b, httpStatusCode, uint64(clientStatus(d.Status)))
	})
	b = appendResponseHeaders(b, deniedHeaders, d.ResponseHeaders, replace)
	if d.GRPC == nil {
		return appendString(b, deniedBody, string(d.Body))
	}
	b = appendHeader(b, deniedHeaders, policy.Header{Name: "grpc-status", Value: strconv.Itoa(int(rpcCode(d)))}, replace)
	return appendString(b, deniedBody, d.GRPC.Message)
}

// appendResponseHeaders appends the response headers, except those that Envoy sets
// itself.
func appendResponseHeaders(b []byte, num protowire.Number, headers []policy.Header, a action) []byte {
	for _, h := range headers {
		if valid(h) && !isFraming(h.Name) {
			b = appendHeader(b, num, h, a)
		}
	}
	return b
}

// appendHeader appends a HeaderValueOption.
func appendHeader(b []byte, num protowire.Number, h policy.Header, a action) []byte {
	return appendMessage(b, num, func(b []byte) []byte {
		b = appendTag(b, optionHeader, sizeOf(len(h.Name))+sizeOf(len(h.Value)))
		b = appendName(b, headerKey, h.Name)
		b = append(appendTag(b, headerValue, len(h.Value)), h.Value...)
		return a(b)
	})
}

// appendName appends the name of a header, in lower case.
func appendName(b []byte, num protowire.Number, name string) []byte {
	b = append(appendTag(b, num, len(name)), name...)
	for i, c := range b[len(b)-len(name):] {
		if 'A' <= c && c <= 'Z' {
			b[len(b)-len(name)+i] = c + 'a' - 'A'
		}
	}
	return b
}
