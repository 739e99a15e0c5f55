package conformance

import (
	"encoding/json"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/jwt"
)

type hasInput struct {
	Claims map[string]any             `json:"sessionClaims"`
	Params map[string]json.RawMessage `json:"params"`
	// PendingIsSignedOut is true where absent.
	PendingIsSignedOut *bool `json:"treatPendingAsSignedOut"`
}

type hasAnswer struct {
	Result bool `json:"result"`
	// Permissions is nil where there is no organization, and in version 1
	// whatever the claim holds.
	Permissions any  `json:"orgPermissions"`
	Error       bool `json:"error"`
}

func TestHas(t *testing.T) {
	t.Parallel()
	for _, set := range vectorSets() {
		count := tally{family: "has" + set.label}
		for _, v := range loadVectors[hasInput, hasAnswer](t, set, "has") {
			got := answerHas(v.Input, true)
			count.add(v.ID, v.Quirk(), judgeHas(got, v.Expect), v.Input, got)
		}
		count.report(t)
	}
}

// The default reads claims more strictly. It reads masks of permissions in
// another way where claim fea mixes features of the user and the organization,
// and that is the only thing it grants more by.
func TestHasInTheDefaultModeGrantsMoreByMasksAlone(t *testing.T) {
	t.Parallel()
	same, refused, masks := 0, 0, 0
	for _, v := range allVectors[hasInput, hasAnswer](t, "has") {
		got := answerHas(v.Input, false)
		fea, _ := v.Input.Claims["fea"].(string)
		_, asksPermission := v.Input.Params["permission"]
		switch {
		case got.Result == v.Expect.Result:
			same++
		case v.Expect.Result:
			refused++
		case asksPermission && strings.Contains(fea, "u:") && strings.Contains(fea, "o"):
			masks++
		default:
			t.Errorf("%s: input %+v, got %+v", v.ID, v.Input, got)
		}
	}
	t.Logf("%d answers are the same, %d refuse more, %d read a mask in another way", same, refused, masks)
}

func answerHas(in hasInput, reference bool) hasAnswer {
	p, err := jwt.Expected{ReferenceCompat: reference}.ReadClaims(in.Claims)
	if err != nil {
		return hasAnswer{Error: true}
	}
	if p.SessionStatus == "pending" && (in.PendingIsSignedOut == nil || *in.PendingIsSignedOut) {
		return hasAnswer{}
	}
	return hasAnswer{Result: has(p, in.Params), Permissions: shownPermissions(p)}
}

// shownPermissions are the permissions as the reference shows them. A version 1
// claim that is no list grants nothing, and stays as it is among the claims.
func shownPermissions(p *policy.Principal) any {
	switch {
	case p.OrgPermissions == nil && p.Claims["v"] == float64(2):
		return nil
	case p.OrgPermissions == nil:
		return p.Claims["org_permissions"]
	}
	list := []any{}
	for _, permission := range p.OrgPermissions {
		list = append(list, permission)
	}
	return list
}

// has asks the policy. A param of the wrong type is one that no configuration
// can state, and fails.
func has(p *policy.Principal, params map[string]json.RawMessage) bool {
	var asked policy.HasParams
	for name, target := range map[string]**string{
		"role": &asked.Role, "permission": &asked.Permission, "feature": &asked.Feature, "plan": &asked.Plan,
	} {
		if value, ok := params[name]; ok && !decode(value, target) {
			return false
		}
	}
	if value, ok := params["reverification"]; ok {
		var r policy.Reverification
		if !decodeReverification(value, &r) {
			return false
		}
		asked.Reverification = &r
	}
	return policy.Has(p, asked)
}

// decode reads a value that has to be of the target's type, and not null.
func decode[T any](value json.RawMessage, target *T) bool {
	return string(value) != "null" && json.Unmarshal(value, target) == nil
}

// decodeReverification reads a preset or {level, afterMinutes}.
func decodeReverification(value json.RawMessage, r *policy.Reverification) bool {
	if decode(value, &r.Preset) {
		return r.Preset != ""
	}
	var long struct {
		Level        string  `json:"level"`
		AfterMinutes float64 `json:"afterMinutes"`
	}
	if !decode(value, &long) {
		return false
	}
	r.Level, r.After = long.Level, policy.Duration(min(long.AfterMinutes*float64(time.Minute), 1<<62))
	return true
}

func judgeHas(got, want hasAnswer) verdict {
	switch {
	case reflect.DeepEqual(got, want):
		return agrees
	case got.Result && !want.Result, grantsMore(got.Permissions, want.Permissions):
		return permissive
	}
	return differs
}

func grantsMore(got, want any) bool {
	have, _ := got.([]any)
	may, _ := want.([]any)
	return slices.ContainsFunc(have, func(p any) bool { return !slices.Contains(may, p) })
}
