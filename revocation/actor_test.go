package revocation

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// acting is somebody's token by which others act, with that claim act.
func acting(t *testing.T, act string) *policy.Principal {
	t.Helper()
	claims := map[string]any{}
	if err := json.Unmarshal([]byte(`{"act":`+act+`}`), &claims); err != nil {
		t.Fatal(err)
	}
	p := member()
	p.Claims, p.Actor = claims, "unknown"
	if act, ok := claims["act"].(map[string]any); ok {
		if sub, ok := act["sub"].(string); ok {
			p.Actor = sub
		}
	}
	return p
}

// What ends a user ends whoever acts as them or by them.
func TestWhoActsEndsWithTheirOwn(t *testing.T) {
	t.Parallel()
	const staff = `{"iss":"x","sub":"user_staff","sid":"sess_staff"}`
	before, after := now.Add(-time.Second).UnixMilli(), now.Add(time.Second).UnixMilli()
	for name, c := range map[string]struct {
		entry Entry
		act   string
		want  policy.Reason
	}{
		"an actor who is deleted":         {Entry{User, "user_staff", "", Gone, before}, staff, policy.ReasonSessionRevoked},
		"an actor who is banned":          {Entry{User, "user_staff", "", GoneBefore, after}, staff, policy.ReasonSessionRevoked},
		"one who was, and came again":     {Entry{User, "user_staff", "", GoneBefore, before}, staff, ""},
		"an actor who is locked":          {Entry{User, "user_staff", "", Stale, after}, staff, policy.ReasonClaimsStale},
		"an actor's session":              {Entry{Session, "sess_staff", "", Gone, before}, staff, policy.ReasonSessionRevoked},
		"a session and no user":           {Entry{Session, "sess_staff", "", Gone, before}, `{"sid":"sess_staff"}`, policy.ReasonSessionRevoked},
		"another session":                 {Entry{Session, "sess_other", "", Gone, before}, staff, ""},
		"a key that acts":                 {Entry{Credential, "ak_agent", "", Gone, before}, `{"sub":"ak_agent"}`, policy.ReasonSessionRevoked},
		"who acts through an actor":       {Entry{User, "user_boss", "", Gone, before}, `{"sub":"agent_1","act":{"sub":"user_boss"}}`, policy.ReasonSessionRevoked},
		"their session":                   {Entry{Session, "sess_boss", "", Gone, before}, `{"sub":"agent_1","act":{"sub":"user_boss","sid":"sess_boss"}}`, policy.ReasonSessionRevoked},
		"one without a name between":      {Entry{User, "user_boss", "", Gone, before}, `{"act":{"act":{"sub":"user_boss"}}}`, policy.ReasonSessionRevoked},
		"a chain that is too long":        {Entry{User, "user_other", "", Gone, before}, strings.Repeat(`{"sub":"a","act":`, maxActors) + `{}` + strings.Repeat("}", maxActors), policy.ReasonSessionRevoked},
		"the longest chain":               {Entry{User, "user_other", "", Gone, before}, strings.Repeat(`{"sub":"a","act":`, maxActors-1) + `{}` + strings.Repeat("}", maxActors-1), ""},
		"the one who is acted as":         {Entry{User, "user_1", "", Gone, before}, staff, policy.ReasonSessionRevoked},
		"the membership of the actor":     {Entry{Member, "user_staff", "org_1", Stale, after}, staff, ""},
		"the membership of the acted one": {Entry{Member, "user_1", "org_1", Stale, after}, staff, policy.ReasonClaimsStale},
		"a claim that is no object":       {Entry{User, "user_staff", "", Gone, before}, `"user_staff"`, ""},
		"a name that is none":             {Entry{User, "user_staff", "", Gone, before}, `{"sub":7,"sid":[]}`, ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			x, who := NewIndex(0, 0), acting(t, c.act)
			x.Revoked(who, now) // and what was found before is looked up again
			x.add(now, c.entry)
			if got := x.Revoked(who, now); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

// An opaque token tells who acts without claims.
func TestWhoActsByAnOpaqueTokenEndsWithTheirOwn(t *testing.T) {
	t.Parallel()
	x, who := NewIndex(0, 0), &policy.Principal{TokenType: policy.OAuthToken, UserID: "user_1", CredentialID: "oat_1", Actor: "user_staff"}
	x.add(now, Entry{User, "user_staff", "", Gone, now.UnixMilli()})
	if got := x.Revoked(who, now); got != policy.ReasonSessionRevoked {
		t.Errorf("%q", got)
	}
}
