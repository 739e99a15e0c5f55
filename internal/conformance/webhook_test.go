package conformance

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
)

type webhookInput struct {
	Now           int64       `json:"now"`
	SigningSecret *string     `json:"signingSecret"`
	Headers       [][2]string `json:"headers"`
	BodyBase64    string      `json:"bodyBase64"`
}

type webhookAnswer struct {
	OK    bool            `json:"ok"`
	Event json.RawMessage `json:"event"`
}

// TestWebhook asks which deliveries are Clerk's. The event itself is the body,
// which Clerk's library hands on as it is.
func TestWebhook(t *testing.T) {
	for _, set := range vectorSets() {
		judgeWebhooks(t, set)
	}
}

func judgeWebhooks(t *testing.T, set vectorSet) {
	t.Helper()
	count := tally{family: "webhook" + set.label}
	for _, v := range loadVectors[webhookInput, webhookAnswer](t, set, "webhook") {
		body, err := base64.StdEncoding.DecodeString(v.Input.BodyBase64)
		if err != nil {
			t.Fatal(err)
		}
		header := make(http.Header)
		for _, h := range v.Input.Headers {
			header.Add(h[0], strings.Trim(h[1], " \t"))
		}
		got := believed(v.Input.SigningSecret, header, body, time.UnixMilli(v.Input.Now))
		verdict := differs
		switch {
		case got && !v.Expect.OK:
			verdict = permissive
		case got == v.Expect.OK && (!got || sameEvent(t, body, v.Expect.Event)):
			verdict = agrees
		}
		count.add(v.ID, v.Quirk(), verdict, v.Input.Headers, got)
	}
	count.report(t)
}

func believed(secret *string, h http.Header, body []byte, now time.Time) bool {
	if secret == nil {
		return false
	}
	verifier, err := revocation.NewVerifier(*secret)
	return err == nil && verifier.Verify(h, body, now) == nil
}

// sameEvent compares the members that an event has.
func sameEvent(t *testing.T, body []byte, want json.RawMessage) bool {
	t.Helper()
	var got, expected map[string]any
	if err := json.Unmarshal(want, &expected); err != nil {
		t.Fatal(err)
	}
	if json.Unmarshal(body, &got) != nil {
		return false
	}
	for _, name := range []string{"type", "data", "event_attributes", "timestamp", "instance_id"} {
		a, b := marshal(t, got[name]), marshal(t, expected[name])
		if a != b {
			return false
		}
	}
	return true
}

func marshal(t *testing.T, v any) string {
	t.Helper()
	text, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

type delivery struct {
	Secret    string      `json:"secret"`
	Now       int64       `json:"now"`
	Tolerance int         `json:"tolerance_s"`
	Headers   [][2]string `json:"headers"`
	Body      string      `json:"body"`
	Body64    string      `json:"body_b64"`
	Prior     []delivery  `json:"prior"`
}

// revoked are the sessions and users that a case revokes.
type revoked struct {
	Sessions []string `json:"revoke_sessions"`
	Users    []string `json:"revoke_users"`
}

// TestAttackWebhooks sends deliveries to the receiver, and looks whom they
// revoked.
func TestAttackWebhooks(t *testing.T) {
	s := score{name: "webhooks through the receiver"}
	effects := attackEffects(t)
	for _, c := range loadAttacks[delivery](t, "webhooks") {
		status, service := receive(t, &c.Input)
		accepted := status/100 == 2
		want := effects[c.ID]
		got := effectOf(service, &c.Input, want)
		ok := true
		switch c.expected() {
		case "accept":
			ok = accepted && slices.Equal(got.Sessions, want.Sessions) && slices.Equal(got.Users, want.Users)
		case "reject":
			ok = status/100 == 4 && service.Len() == 0
		case "accept-or-reject":
			ok = status/100 != 5 && service.Len() == 0
		default:
			ok = false
		}
		if !ok {
			t.Errorf("%s: %d, revokes %+v (%d entries); want %s %+v: %s", c.ID, status, got, service.Len(), c.Expect, want, c.Why)
		}
		s.add(c.expected() == "reject", c.expected() == "accept", ok, accepted)
	}
	s.report(t)
}

// attackEffects reads what each case is to revoke.
func attackEffects(t *testing.T) map[string]revoked {
	t.Helper()
	effects := map[string]revoked{}
	for line := range strings.Lines(string(readAttacks(t, "webhooks"))) {
		var c struct {
			ID     string  `json:"id"`
			Effect revoked `json:"effect"`
		}
		if err := json.Unmarshal([]byte(line), &c); err != nil {
			t.Fatal(err)
		}
		effects[c.ID] = c.Effect
	}
	return effects
}

// receive makes the deliveries of a case, and returns the status of the last.
// Without a secret there is no receiver: whoever mounts it answers 404.
func receive(t *testing.T, d *delivery) (int, *revocation.Service) {
	t.Helper()
	at := d.Now
	service := revocation.New(revocation.Options{Now: func() time.Time { return time.Unix(at, 0) }})
	receiver, err := revocation.NewReceiver(service, d.Secret)
	if err != nil {
		return http.StatusNotFound, service
	}
	status := 0
	for _, one := range append(slices.Clone(d.Prior), *d) {
		if one.Now != 0 {
			at = one.Now
		}
		r := httptest.NewRequest(http.MethodPost, "/webhooks/clerk", strings.NewReader(textOr64(t, one.Body, one.Body64)))
		for _, h := range one.Headers {
			r.Header.Add(h[0], h[1])
		}
		w := httptest.NewRecorder()
		receiver.ServeHTTP(w, r)
		status = w.Code
	}
	return status, service
}

// effectOf asks about those that the case names, and about all it could mean.
func effectOf(service *revocation.Service, d *delivery, want revoked) revoked {
	at := time.Unix(d.Now, 0)
	gone := func(session, user string) bool {
		p := &policy.Principal{TokenType: policy.SessionToken, SessionID: session, UserID: user, IssuedAt: at.Add(-time.Minute)}
		return service.Revoked(p, at) == policy.ReasonSessionRevoked
	}
	var got revoked
	for _, id := range append(slices.Clone(want.Sessions), "sess_2sessionAlice1") {
		if gone(id, "user_nobody") && !slices.Contains(got.Sessions, id) {
			got.Sessions = append(got.Sessions, id)
		}
	}
	for _, id := range append(slices.Clone(want.Users), "user_2memberAlice") {
		if gone("sess_none", id) && !slices.Contains(got.Users, id) {
			got.Users = append(got.Users, id)
		}
	}
	return got
}
