package session

import (
	"context"
	"encoding/json"
	"net/netip"
	"os"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// toSession marks what is left to the session verifier.
const toSession policy.Reason = "left to the session verifier"

func (v *machineVector) decide(t *testing.T, reference bool) (policy.AuthState, []sessiontest.Call) {
	t.Helper()
	backend := &sessiontest.Canned{Answers: v.Input.Backend}
	accept, _ := v.accept(t)
	state := v.machines(t, backend, reference).Bearer(t.Context(), netip.Addr{}, v.token(), accept, time.UnixMilli(v.Input.Now),
		func(context.Context, string, time.Time) policy.AuthState { return policy.AuthState{Reason: toSession} })
	return state, backend.Calls
}

// differs says how a decision differs from the recorded one, or "".
func (v *machineVector) differs(t *testing.T, got policy.AuthState, calls []sessiontest.Call) string {
	t.Helper()
	_, single := v.accept(t)
	kind := policy.TokenType("")
	token := v.token()
	switch {
	case got.Reason == toSession:
		if v.Expect.TokenType == string(policy.SessionToken) || refusedAsNoSession(token) && v.Expect.Reason == string(policy.ReasonTokenType) {
			return ""
		}
		return "left to the session verifier"
	case got.Principal != nil:
		kind = got.Principal.TokenType
	case got.Reason == policy.ReasonTokenType:
		kind = single
		if single == policy.AnyToken {
			kind = policy.SessionToken
		}
	case opaqueTypeOf(token) != "":
		kind = opaqueTypeOf(token)
	default:
		if decoded, err := unverified.Decode(token, compat.Reference, nil); err == nil {
			kind = decoded.MachineType()
		}
	}
	status := map[policy.AuthStatus]string{policy.SignedIn: "signed-in", policy.SignedOut: "signed-out"}[got.Status]
	switch {
	case status != v.Expect.Status || string(got.Reason) != v.Expect.Reason:
		return status + " for " + string(got.Reason)
	case string(kind) != v.Expect.TokenType:
		return "a token of type " + string(kind)
	case !reflect.DeepEqual(sessiontest.AboutTokens(calls), sessiontest.AboutTokens(v.Expect.Calls)):
		return "other calls"
	case got.Principal != nil:
		return v.principalDiffers(got.Principal)
	}
	return ""
}

// refusedAsNoSession reports whether the session verifier refuses a token for
// its type.
func refusedAsNoSession(token string) bool {
	t, err := unverified.Decode(token, compat.Reference, nil)
	return err == nil && !t.IsSession()
}

// principalDiffers compares all of the auth object but the name of an API key,
// which a principal does not have.
func (v *machineVector) principalDiffers(p *policy.Principal) string {
	for name, got := range map[string]any{
		"id": p.CredentialID, "userId": p.UserID, "orgId": p.OrgID, "machineId": p.MachineID, "clientId": p.ClientID,
		"scopes": p.Scopes, "claims": p.Claims,
	} {
		want, present := v.Expect.Auth[name]
		if !present {
			continue
		}
		data, err := json.Marshal(got)
		if err != nil {
			return err.Error()
		}
		var back any
		if err := json.Unmarshal(data, &back); err != nil {
			return err.Error()
		}
		if want == nil && back == "" {
			continue
		}
		if !reflect.DeepEqual(back, want) {
			return "another " + name
		}
	}
	return ""
}

func TestMachineTokensAreJudgedAsByTheReference(t *testing.T) {
	t.Parallel()
	agree, quirks := 0, 0
	vectors := loadMachineVectors(t)
	for _, v := range vectors {
		got, calls := v.decide(t, true)
		switch diff := v.differs(t, got, calls); {
		case diff == "":
			agree++
		case v.quirk() && got.Status != policy.SignedIn:
			quirks++
		default:
			t.Errorf("%s: %s (%v); want %s for %s, type %s, calls %v after %v", v.ID, diff, got.Cause, v.Expect.Status, v.Expect.Reason, v.Expect.TokenType, v.Expect.Calls, calls)
		}
	}
	t.Logf("%d of %d agree, %d more refuse where the reference is accidental", agree, len(vectors), quirks)
}

func TestMachineTokensAreNeverTakenWhereTheReferenceRefuses(t *testing.T) {
	t.Parallel()
	taken := 0
	for _, v := range loadMachineVectors(t) {
		got, _ := v.decide(t, false)
		machine := v.Expect.Status == "signed-in" && v.Expect.TokenType != string(policy.SessionToken)
		switch {
		case got.Status == policy.SignedIn && !machine:
			t.Errorf("%s: signed in; want %s for %s", v.ID, v.Expect.Status, v.Expect.Reason)
		case got.Status == policy.SignedIn:
			taken++
			if got.Principal.UserID != "" && got.Principal.UserID != v.Expect.Auth["userId"] {
				t.Errorf("%s: another user", v.ID)
			}
		case machine && !v.quirk() && os.Getenv("CLERKGATE_VECTORS") == "" && !strings.Contains(v.ID, "-subject"): // a user's token for an organization, say
			t.Errorf("%s: refused for %s (%v)", v.ID, got.Reason, got.Cause)
		}
	}
	t.Logf("%d taken", taken)
}

// opaqueTypeOf is the type that the prefix of an opaque token names, or "".
func opaqueTypeOf(token string) policy.TokenType {
	prefix, _, _ := strings.Cut(token, "_")
	return map[string]policy.TokenType{"ak": policy.APIKey, "mt": policy.M2MToken, "oat": policy.OAuthToken}[prefix]
}
