package extauthz

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// Field numbers in google.protobuf.Struct and what it holds.
const (
	structFields = 1 // a map
	entryKey     = 1
	entryValue   = 2 // a google.protobuf.Value
	valueString  = 3
)

// metadataAttributes are the attributes of the principal in the dynamic metadata: all
// but lists, which may be long.
var metadataAttributes = slices.DeleteFunc(policy.Attributes(), func(a policy.Attribute) bool { return a.IsList() })

// appendMetadata appends the fields of the dynamic metadata, with which other filters
// and the access log can use a decision:
// %DYNAMIC_METADATA(envoy.filters.http.ext_authz:decision_id)%. It contains IDs and
// names, but no token and no other claim.
func appendMetadata(b []byte, d *policy.Decision, id uint64) []byte {
	b = appendText(b, "decision", d.Outcome.String())
	b = appendText(b, "decision_id", decisionID(id))
	b = appendText(b, "reason", string(d.Reason))
	b = appendText(b, "rule", d.Rule)
	if d.Client.IsValid() {
		b = appendText(b, "client_ip", d.Client.String())
	}
	if p := d.Principal; p != nil {
		for i := range metadataAttributes {
			b = appendText(b, metadataAttributes[i].Name, metadataAttributes[i].Text(p))
		}
	}
	if d.Shadow != nil {
		b = appendText(b, "shadow", string(d.Shadow.Reason))
	}
	return b
}

// appendText appends one entry of a google.protobuf.Struct, unless the value is empty.
func appendText(b []byte, key, value string) []byte {
	if value == "" {
		return b
	}
	value = strings.ToValidUTF8(value, "\uFFFD")
	wrapped := sizeOf(len(value))
	b = appendTag(b, structFields, sizeOf(len(key))+sizeOf(wrapped))
	b = appendString(b, entryKey, key)
	b = appendTag(b, entryValue, wrapped)
	return append(appendTag(b, valueString, len(value)), value...)
}

// decisionID returns an ID as 16 hexadecimal digits.
func decisionID(id uint64) string {
	var b [8]byte
	return hex.EncodeToString(binary.BigEndian.AppendUint64(b[:0], id))
}
