package conformance

import (
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// authAnswer is the reference's answer.
type authAnswer struct {
	Status      string          `json:"status"`
	Reason      string          `json:"reason"`
	TokenType   string          `json:"tokenType"`
	Token       string          `json:"token"`
	Headers     [][2]string     `json:"headers"`
	Auth        map[string]any  `json:"auth"`
	WithPending map[string]any  `json:"authWithPending"`
	AuthError   json.RawMessage `json:"authError"`
	Calls       []backendCall   `json:"backendApiCalls"`
}

type authVector = vector[authInput, authAnswer]

// authResult is our answer.
type authResult struct {
	// configError is set where the configuration is refused.
	configError error
	state       policy.AuthState
	calls       []backendCall
}

func authenticate(t *testing.T, in *authInput, reference bool) authResult {
	t.Helper()
	backend := &cannedBackend{answers: in.Backend}
	a, err := in.authenticator(backend, reference)
	if err != nil {
		return authResult{configError: err}
	}
	defer a.Close()
	request := in.Request.request()
	if !reference { // an answer of a handshake counts for who was sent to one
		request.Headers = append(request.Headers, policy.Header{Name: "Cookie", Value: "__Host-clerkgate-handshake=1; clerkgate-handshake=1"})
	}
	state := a.Authenticate(t.Context(), request, in.Config.accept(t), time.UnixMilli(in.Now))
	return authResult{state: state, calls: backend.calls}
}

// Every recorded request gets the reference's answer in reference mode.
func TestAuthenticate(t *testing.T) {
	t.Parallel()
	meant := countDeviations(referenceDeviations)
	for _, set := range vectorSets() {
		count := tally{family: "authenticate" + set.label}
		for _, v := range loadVectors[authInput, authAnswer](t, set, "authenticate") {
			got := authenticate(t, &v.Input, true)
			verdict, why := judgeAuth(&got, &v)
			if verdict != agrees && meant.explains(&v, &got) {
				verdict = deviates
			}
			count.add(v.ID, v.Quirk(), verdict, authSummary(&v), why)
		}
		count.report(t)
	}
	meant.report(t)
}

// The default mode signs nobody in whom the reference does not, and nobody else:
// but for differences that are named and meant.
func TestAuthenticateHardened(t *testing.T) {
	t.Parallel()
	meant := countDeviations(defaultDeviations)
	for _, set := range vectorSets() {
		count := tally{family: "authenticate by default" + set.label, refusing: true}
		for _, v := range loadVectors[authInput, authAnswer](t, set, "authenticate") {
			got := authenticate(t, &v.Input, false)
			verdict, why := judgeAuth(&got, &v)
			if verdict == permissive && meant.explains(&v, &got) {
				verdict = deviates
			}
			count.add(v.ID, v.Quirk(), verdict, authSummary(&v), why)
		}
		count.report(t)
	}
	meant.report(t)
}

func authSummary(v *authVector) string { return v.Expect.Status + " " + v.Expect.Reason }

// judgeAuth compares an answer with the reference's, and says what differs.
func judgeAuth(got *authResult, v *authVector) (verdict, string) {
	want := &v.Expect
	if got.configError != nil {
		if want.Status == "error" {
			return agrees, ""
		}
		return differs, "configuration refused: " + got.configError.Error()
	}
	if got.state.Status == policy.SignedIn {
		return judgeSignedIn(got, want)
	}
	if want.Status == "error" && got.state.Status == policy.Unavailable {
		return agrees, ""
	}
	status, reason := want.Status, want.Reason
	switch {
	case want.WithPending != nil && status == "signed-in":
		status, reason = "signed-out", string(policy.ReasonSessionPending)
	case want.AuthError != nil && status == "signed-in":
		return agrees, "" // nobody may be let through
	}
	if word := statusWords[got.state.Status]; word != status || string(got.state.Reason) != reason {
		return differs, fmt.Sprintf("%s %s (%v)", word, got.state.Reason, got.state.Cause)
	}
	return judgeRest(got, want)
}

var statusWords = map[policy.AuthStatus]string{
	policy.SignedIn: "signed-in", policy.SignedOut: "signed-out", policy.Handshake: "handshake", policy.Unavailable: "unavailable",
}

// judgeSignedIn compares a principal. Another one than the reference's, or one
// where it has none, is a grant.
func judgeSignedIn(got *authResult, want *authAnswer) (verdict, string) {
	p := got.state.Principal
	switch {
	case want.Status != "signed-in" || want.AuthError != nil || want.Auth["isAuthenticated"] != true:
		return permissive, "signed in as " + p.UserID
	case p.TokenDigest != "" && p.TokenDigest != digest(want.Token):
		return permissive, "signed in by another token"
	case string(p.TokenType) != want.TokenType:
		return permissive, "signed in by a " + string(p.TokenType)
	}
	if diff := principalDiff(p, want.Auth); diff != "" {
		return permissive, diff
	}
	return judgeRest(got, want)
}

func digest(token string) string {
	sum := sha256.Sum256([]byte(token))
	return string(sum[:])
}

// principalDiff compares a principal with the auth object.
func principalDiff(p *policy.Principal, auth map[string]any) string {
	members := map[string]any{"userId": p.UserID, "orgId": p.OrgID}
	if p.TokenType == policy.SessionToken {
		members = map[string]any{
			"userId": p.UserID, "sessionId": p.SessionID, "sessionStatus": p.SessionStatus,
			"orgId": p.OrgID, "orgSlug": p.OrgSlug, "orgRole": p.OrgRole, "orgPermissions": p.OrgPermissions,
			"factorVerificationAge": p.Claims["fva"], "actor": p.Claims["act"], "sessionClaims": p.Claims,
		}
	} else {
		members["id"], members["machineId"], members["clientId"] = p.CredentialID, p.MachineID, p.ClientID
		members["scopes"] = p.Scopes
	}
	for name, value := range members {
		want, present := auth[name]
		if !present && p.TokenType != policy.SessionToken {
			continue
		}
		if got := asJSON(value); !reflect.DeepEqual(got, shown(name, want)) {
			return fmt.Sprintf("%s is %v, want %v", name, got, want)
		}
	}
	return ""
}

// asJSON returns a value as encoding/json reads it back. An empty text is none.
func asJSON(v any) any {
	data, err := json.Marshal(v)
	if err != nil {
		return err
	}
	var back any
	if err := json.Unmarshal(data, &back); err != nil {
		return err
	}
	return blankIsNone(back)
}

// shown is a member of the auth object as a principal has it: no text that is
// not text, and no list that is none.
func shown(name string, want any) any {
	_, isText := want.(string)
	switch name {
	case "userId", "sessionId", "sessionStatus", "orgId", "orgSlug", "orgRole", "id", "machineId", "clientId":
		if !isText {
			return nil
		}
	case "orgPermissions":
		list, isList := want.([]any)
		if !isList {
			return nil
		}
		return slices.DeleteFunc(slices.Clone(list), func(v any) bool { _, isText := v.(string); return !isText })
	case "scopes":
		if text, isText := want.(string); isText { // as it stood in the token
			return asJSON(strings.Split(text, " "))
		}
		if _, isList := want.([]any); !isList {
			return []any{}
		}
	}
	return blankIsNone(want)
}

func blankIsNone(v any) any {
	if v == "" {
		return nil
	}
	return v
}

// judgeRest compares headers and calls.
func judgeRest(got *authResult, want *authAnswer) (verdict, string) {
	if headers, wanted := responseHeaders(&got.state), comparedHeaders(want); !slices.Equal(headers, wanted) {
		return differs, fmt.Sprintf("headers\n got %q\nwant %q", headers, wanted)
	}
	if !sameCalls(got.calls, want.Calls) {
		return differs, fmt.Sprintf("calls\n got %v\nwant %v", got.calls, want.Calls)
	}
	return agrees, ""
}

// responseHeaders are the fields a state asks for, sorted by name: its own, and
// those that the policy writes from its status and reason.
func responseHeaders(state *policy.AuthState) [][2]string {
	var out [][2]string
	for _, h := range state.Headers {
		out = append(out, [2]string{strings.ToLower(h.Name), h.Value})
	}
	if state.Status != policy.SignedIn && state.Reason != policy.ReasonSessionPending {
		out = append(out, [2]string{"x-clerk-auth-reason", string(state.Reason)}, [2]string{"x-clerk-auth-status", statusWords[state.Status]})
	}
	return sortedByName(out)
}

func comparedHeaders(want *authAnswer) [][2]string {
	return sortedByName(slices.DeleteFunc(slices.Clone(want.Headers), func(h [2]string) bool { return h[0] == "x-clerk-auth-message" }))
}

func sortedByName(headers [][2]string) [][2]string {
	slices.SortStableFunc(headers, func(a, b [2]string) int { return strings.Compare(a[0], b[0]) })
	return headers
}
