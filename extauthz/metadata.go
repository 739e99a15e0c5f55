package extauthz

import (
	"encoding/binary"
	"encoding/hex"
	"strings"

	"google.golang.org/protobuf/types/known/structpb"

	"github.com/clerkgate/clerkgate/policy"
)

// maxMetadataFields is how many fields there can be.
const maxMetadataFields = 10

// dynamicMetadata is what other filters and the access log may know of a decision:
// %DYNAMIC_METADATA(envoy.filters.http.ext_authz:decision_id)%. It holds ids and
// words of ours; no token, no claim.
func dynamicMetadata(d *policy.Decision, id uint64) *structpb.Struct {
	fields := make(map[string]*structpb.Value, maxMetadataFields)
	memory := make([]struct { // one allocation in place of two for each field
		value structpb.Value
		text  structpb.Value_StringValue
	}, maxMetadataFields)
	put := func(key, value string) {
		if value != "" {
			m := &memory[len(fields)]
			m.text.StringValue = strings.ToValidUTF8(value, "\uFFFD")
			m.value.Kind = &m.text
			fields[key] = &m.value
		}
	}
	put("decision", d.Outcome.String())
	put("decision_id", decisionID(id))
	put("reason", string(d.Reason))
	put("rule", d.Rule)
	if d.Client.IsValid() {
		put("client_ip", d.Client.String())
	}
	if p := d.Principal; p != nil {
		put("user_id", p.UserID)
		put("session_id", p.SessionID)
		put("org_id", p.OrgID)
		put("token_type", string(p.TokenType))
	}
	if d.Shadow != nil {
		put("shadow", string(d.Shadow.Reason))
	}
	return &structpb.Struct{Fields: fields}
}

// decisionID writes an id as 16 hexadecimal digits.
func decisionID(id uint64) string {
	var b [8]byte
	return hex.EncodeToString(binary.BigEndian.AppendUint64(b[:0], id))
}
