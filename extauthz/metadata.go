package extauthz

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clerkgate/clerkgate/policy"
)

// Field numbers of the messages in which metadata travels.
const (
	responseMetadata = 4 // CheckResponse.dynamic_metadata
	structFields     = 1 // google.protobuf.Struct.fields
	entryKey         = 1 // of an entry of a map
	entryValue       = 2
	valueString      = 3 // google.protobuf.Value.string_value
)

// usualMetadata is room for what a signed-in user's decision says, in bytes.
const usualMetadata = 512

// appendMetadata appends, to an encoded CheckResponse, what other filters and the
// access log may know of a decision:
// %DYNAMIC_METADATA(envoy.filters.http.ext_authz:decision_id)%. It holds ids and
// words of ours; no token, no claim. It is written by hand since a map of
// generated values costs more than the rest of the response.
func appendMetadata(b []byte, d *policy.Decision, id uint64) []byte {
	fields := make([]byte, 0, usualMetadata)
	fields = appendText(fields, "decision", d.Outcome.String())
	fields = appendText(fields, "decision_id", decisionID(id))
	fields = appendText(fields, "reason", string(d.Reason))
	fields = appendText(fields, "rule", d.Rule)
	if d.Client.IsValid() {
		fields = appendText(fields, "client_ip", d.Client.String())
	}
	if p := d.Principal; p != nil {
		fields = appendText(fields, "user_id", p.UserID)
		fields = appendText(fields, "session_id", p.SessionID)
		fields = appendText(fields, "org_id", p.OrgID)
		fields = appendText(fields, "token_type", string(p.TokenType))
	}
	if d.Shadow != nil {
		fields = appendText(fields, "shadow", string(d.Shadow.Reason))
	}
	return appendBytes(b, responseMetadata, fields)
}

// appendText appends one field of a google.protobuf.Struct; none where there is
// no value.
func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	value = strings.ToValidUTF8(value, "\uFFFD")
	wrapped := sizeOf(valueString, len(value))
	b = appendTag(b, structFields, sizeOf(entryKey, len(key))+sizeOf(entryValue, wrapped))
	b = append(appendTag(b, entryKey, len(key)), key...)
	b = appendTag(b, entryValue, wrapped)
	return append(appendTag(b, valueString, len(value)), value...)
}

// appendBytes appends a field of bytes.
func appendBytes(b []byte, num protowire.Number, value []byte) []byte {
	return append(appendTag(b, num, len(value)), value...)
}

// appendTag begins a field whose value is size bytes long.
func appendTag(b []byte, num protowire.Number, size int) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), uint64(size))
}

// sizeOf is the length of a field whose value is size bytes long.
func sizeOf(num protowire.Number, size int) int {
	return protowire.SizeTag(num) + protowire.SizeBytes(size)
}

// decisionID writes an id as 16 hexadecimal digits.
func decisionID(id uint64) string {
	var b [8]byte
	return hex.EncodeToString(binary.BigEndian.AppendUint64(b[:0], id))
}
