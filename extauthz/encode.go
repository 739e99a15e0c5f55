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

// Responses are encoded by hand: making the generated types and walking them
// costs more than the decision. The tests hold the two to be the same.

// usualResponse is room for a response with an identity, in bytes.
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

// An action says what Envoy does with a header, in the fields of a
// HeaderValueOption beside the header. Envoy's releases disagree on what follows
// from append, from append_action and from neither, so each action says it in the
// way that comes out the same in all of them.
type action func([]byte) []byte

// overwrite replaces what the client sent.
func overwrite(b []byte) []byte {
	b = appendTag(b, optionAppend, 0) // a BoolValue of false
	return appendNumber(b, optionAppendAction, uint64(corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD))
}

// add keeps what the upstream sent, and every entry of ours.
func add(b []byte) []byte {
	return appendMessage(b, optionAppend, func(b []byte) []byte { return appendNumber(b, boolValue, 1) })
}

// replace puts all entries of ours in place of Envoy's own. With append true,
// Envoy would drop them.
func replace(b []byte) []byte { return b }

// encode encodes the response with the metadata of its decision.
func (r checkResponse) encode(id uint64) encoded {
	b := make([]byte, 0, usualResponse)
	b = appendMessage(b, responseStatus, func(b []byte) []byte {
		b = appendNumber(b, statusCode, uint64(r.status))
		return appendString(b, statusMessage, strings.ToValidUTF8(r.message, "\uFFFD"))
	})
	b = appendMessage(b, r.kind, func(b []byte) []byte {
		if r.kind == okResponse {
			return appendEdits(b, r.decision)
		}
		return appendAnswer(b, r.decision)
	})
	return appendMessage(b, responseMetadata, func(b []byte) []byte {
		return appendMetadata(b, r.decision, id)
	})
}

// appendEdits appends the fields of an OkHttpResponse.
func appendEdits(b []byte, d *policy.Decision) []byte {
	var set, lost []string
	for _, h := range d.SetHeaders {
		if !validName(h.Name) || !validValue(h.Value) {
			// What cannot be set must go, or the client's own would stay.
			lost = append(lost, h.Name)
			continue
		}
		name := strings.ToLower(h.Name)
		set = append(set, name)
		b = appendHeader(b, okHeaders, name, h.Value, overwrite)
	}
	for _, names := range [...][]string{d.RemoveHeaders, lost} {
		b = appendRemovals(b, names, set)
	}
	return appendResponseHeaders(b, okResponseHeaders, d.ResponseHeaders, add)
}

// appendRemovals appends the names to remove, in lower case and without those
// set: Envoy removes after it sets.
func appendRemovals(b []byte, names, set []string) []byte {
	for _, name := range names {
		name = strings.ToLower(name)
		if !slices.Contains(set, name) && utf8.ValidString(name) {
			b = appendString(b, okHeadersToRemove, name)
		}
	}
	return b
}

// appendAnswer appends the fields of a DeniedHttpResponse, the answer to the
// client. A gRPC caller gets its status in grpc-status, which Envoy keeps, and the
// message in the body, which Envoy turns into grpc-message.
func appendAnswer(b []byte, d *policy.Decision) []byte {
	b = appendMessage(b, deniedStatus, func(b []byte) []byte {
		return appendNumber(b, httpStatusCode, uint64(clientStatus(d.Status)))
	})
	b = appendResponseHeaders(b, deniedHeaders, d.ResponseHeaders, replace)
	body := string(d.Body)
	if d.GRPC != nil {
		b = appendHeader(b, deniedHeaders, "grpc-status", strconv.Itoa(int(rpcCode(d))), replace)
		body = d.GRPC.Message
	}
	return appendString(b, deniedBody, strings.ToValidUTF8(body, "\uFFFD"))
}

// appendResponseHeaders appends what the client gets, without what Envoy computes
// itself.
func appendResponseHeaders(b []byte, num protowire.Number, headers []policy.Header, a action) []byte {
	for _, h := range headers {
		if validName(h.Name) && validValue(h.Value) && !isFraming(h.Name) {
			b = appendHeader(b, num, strings.ToLower(h.Name), h.Value, a)
		}
	}
	return b
}

// appendHeader appends a HeaderValueOption.
func appendHeader(b []byte, num protowire.Number, name, value string, a action) []byte {
	return appendMessage(b, num, func(b []byte) []byte {
		b = appendTag(b, optionHeader, sizeOf(headerKey, len(name))+sizeOf(headerValue, len(value)))
		b = appendString(b, headerKey, name)
		b = appendString(b, headerValue, value)
		return a(b)
	})
}

// appendMessage appends a message of the fields that write appends.
func appendMessage(b []byte, num protowire.Number, write func([]byte) []byte) []byte {
	b = protowire.AppendTag(b, num, protowire.BytesType)
	start := len(b)
	b = write(b)
	var size [10]byte
	return slices.Insert(b, start, protowire.AppendVarint(size[:0], uint64(len(b)-start))...)
}

func appendString(b []byte, num protowire.Number, s string) []byte {
	return append(appendTag(b, num, len(s)), s...)
}

func appendNumber(b []byte, num protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), n)
}

// appendTag begins a field whose value is size bytes long.
func appendTag(b []byte, num protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), uint64(size))
}

// sizeOf is the length of a field whose value is size bytes long.
func sizeOf(num protowire.Number, size int) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(size)
}
