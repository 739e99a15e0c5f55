package extauthz

import (
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// FuzzReadAsGenerated holds for any bytes: the reader and the generated types
// see the same request, or both see none.
func FuzzReadAsGenerated(f *testing.F) {
	seed(f)
	f.Add(httpFields(str(4, "/"), rawHeader(str(1, "a"), str(2, "b"), str(3, "c")), submessage(3, str(1, "d"), str(2, "e"))))
	f.Add(attributes(submessage(1, submessage(1, submessage(1, str(2, "192.0.2.1"))), submessage(1, submessage(2)))))
	f.Add(attributes(submessage(10, str(1, ruleKey), str(2, "admin"))))
	f.Add(metadataOf(submessage(5, submessage(1, str(1, "a"), submessage(2, submessage(6, submessage(1, varint(4, 1))))))))
	f.Add(group(1, group(2, varint(3, 4))))
	f.Fuzz(func(t *testing.T, data []byte) { readAsOracle(t, data) })
}

// FuzzResponseAsGenerated holds for any decision: the bytes of the response are
// the message that the generated types would carry.
func FuzzResponseAsGenerated(f *testing.F) {
	f.Add(uint8(1), 200, "allowed", "X-User-Id", "user_1", "X-Org-Id", "Set-Cookie", "a=1", "", "user_1", uint32(0), "")
	f.Add(uint8(0), 403, "role-missing", "", "", "", "Content-Type", "text/plain", "no\n", "", uint32(7), "no")
	f.Add(uint8(3), 503, "keys-unavailable", "x", "\xff", "x", "te", "b", "\xff", "\xff", uint32(99), "\xff")
	f.Add(uint8(1), 200, "\xff", "X-A", "b", "x-a\u017f", "\u212a", "b", "", "", uint32(0), "")
	f.Fuzz(func(t *testing.T, outcome uint8, code int, reason, set, value, remove, name, text, body, user string, grpc uint32, message string) {
		headers := []policy.Header{{Name: set, Value: value}, {Name: name, Value: text}, {Name: set, Value: text}}
		d := policy.Decision{
			Outcome: policy.Outcome(outcome), Status: code, Reason: policy.Reason(reason), Rule: remove, Body: []byte(body),
			SetHeaders: headers[:1+int(outcome)%3], RemoveHeaders: []string{remove, set, name}, RemoveQuery: []string{name, body}, ResponseHeaders: headers[int(outcome)%3:],
			Principal: &policy.Principal{UserID: user, SessionID: value, OrgID: text, TokenType: policy.TokenType(name)},
		}
		if grpc > 0 {
			d.GRPC = &policy.GRPCStatus{Code: grpc, Message: message}
			d.Shadow = &policy.Decision{Reason: policy.Reason(message)}
		}
		for _, respond := range []func(*policy.Decision) checkResponse{ok, denied, failed} {
			decoded(t, respond(&d))
		}
	})
}
