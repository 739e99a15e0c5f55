package revocation

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

// secret is a signing secret that must show nowhere.
const secret = "whsec_Y2FuYXJ5LXNpZ25pbmctc2VjcmV0LTAx"

// receiver takes deliveries at a fixed time, and keeps what it logs.
type receiver struct {
	*Receiver
	service *Service
	logged  *bytes.Buffer
}

func newReceiver(tb testing.TB, client redis.UniversalClient) *receiver {
	tb.Helper()
	logged := &bytes.Buffer{}
	service := New(Options{Redis: client, Now: func() time.Time { return now }, Logger: slog.New(slog.NewTextHandler(logged, nil))})
	r, err := NewReceiver(service, secret)
	if err != nil {
		tb.Fatal(err)
	}
	return &receiver{r, service, logged}
}

// deliver sends a body as Clerk does.
func (r *receiver) deliver(id, body string) *httptest.ResponseRecorder {
	request := httptest.NewRequest(http.MethodPost, "/webhooks/clerk", strings.NewReader(body))
	request.Header = clerktest.SignWebhook(secret, id, now, []byte(body))
	w := httptest.NewRecorder()
	r.ServeHTTP(w, request)
	return w
}

// happened is an event a second ago.
func happened(kind, data string) string {
	return fmt.Sprintf(`{"object":"event","type":%q,"timestamp":%d,"data":%s}`, kind, now.Add(-time.Second).UnixMilli(), data)
}

func TestWhatEventsMean(t *testing.T) {
	t.Parallel()
	before := now.Add(-time.Second).UnixMilli()
	member := `{"organization":{"id":"org_1"},"public_user_data":{"user_id":"user_1"},"role":"org:member"}`
	for name, c := range map[string]struct {
		kind, data string
		want       []Entry
	}{
		"a session is revoked":           {"session.revoked", `{"id":"sess_1","user_id":"user_1"}`, []Entry{{Session, "sess_1", "", Gone, before}}},
		"a session ends":                 {"session.ended", `{"id":"sess_1"}`, []Entry{{Session, "sess_1", "", Gone, before}}},
		"a session is removed":           {"session.removed", `{"id":"sess_1"}`, []Entry{{Session, "sess_1", "", Gone, before}}},
		"a session begins":               {"session.created", `{"id":"sess_1"}`, nil},
		"a user is deleted":              {"user.deleted", `{"id":"user_1","deleted":true}`, []Entry{{User, "user_1", "", Gone, before}}},
		"a user is banned":               {"user.updated", `{"id":"user_1","banned":true,"locked":true}`, []Entry{{User, "user_1", "", GoneBefore, before}}},
		"a user is locked":               {"user.updated", `{"id":"user_1","banned":false,"locked":true}`, []Entry{{User, "user_1", "", Stale, before}}},
		"a user changes the name":        {"user.updated", `{"id":"user_1","banned":false,"locked":false}`, nil},
		"a membership ends":              {"organizationMembership.deleted", member, []Entry{{Member, "user_1", "org_1", Stale, before}}},
		"a role is given":                {"organizationMembership.updated", member, []Entry{{Member, "user_1", "org_1", Stale, before}}},
		"a membership begins":            {"organizationMembership.created", member, nil},
		"an organization is deleted":     {"organization.deleted", `{"id":"org_1"}`, []Entry{{Organization, "org_1", "", Stale, before}}},
		"what a role may do":             {"role.updated", `{"key":"org:admin"}`, []Entry{{Everybody, "", "", Stale, before}}},
		"an API key is revoked":          {"apiKey.revoked", `{"id":"ak_1"}`, []Entry{{Credential, "ak_1", "", Gone, before}}},
		"an organization's plan":         {"subscription.updated", `{"id":"sub_1","payer":{"organization_id":"org_1","user_id":"user_1"}}`, []Entry{{Organization, "org_1", "", Stale, before}}},
		"a user's plan":                  {"subscriptionItem.active", `{"id":"sub_1","payer":{"user_id":"user_1"}}`, []Entry{{User, "user_1", "", Stale, before}}},
		"a plan of nobody":               {"subscription.updated", `{"id":"sub_1"}`, nil},
		"mail":                           {"email.created", `{"id":"ema_1"}`, nil},
		"another spelling of an event":   {"Session.Revoked", `{"id":"sess_1"}`, nil},
		"an event that nobody knows yet": {"session.frozen", `{"id":"sess_1"}`, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := newReceiver(t, nil)
			if w := r.deliver("msg_1", happened(c.kind, c.data)); w.Code != http.StatusNoContent {
				t.Fatalf("%d %s", w.Code, w.Body)
			}
			got := r.service.all()
			if len(got) != len(c.want) || len(got) == 1 && got[0] != c.want[0] {
				t.Errorf("%+v, want %+v", got, c.want)
			}
		})
	}
}

func TestWhatIsNoEventChangesNothing(t *testing.T) {
	t.Parallel()
	for name, body := range map[string]string{
		"no JSON":                `session.revoked`,
		"a list":                 `[]`,
		"nothing":                ``,
		"no data":                `{"type":"session.revoked"}`,
		"an id that is a number": happened("session.revoked", `{"id":1}`),
		"an id with a space":     happened("session.revoked", `{"id":"sess 1"}`),
		"an id too long":         happened("session.revoked", `{"id":"sess_`+strings.Repeat("a", maxID)+`"}`),
		"a name twice":           `{"type":"session.created","type":"session.revoked","data":{"id":"sess_1"}}`,
		"a time that is text":    `{"type":"session.revoked","timestamp":"1","data":{"id":"sess_1"}}`,
	} {
		r := newReceiver(t, nil)
		if w := r.deliver("msg_1", body); w.Code != http.StatusBadRequest || r.service.Len() != 0 {
			t.Errorf("%s: %d, %d entries", name, w.Code, r.service.Len())
		}
	}
}

// Events that revoke nothing may say as little as they like, and those that do
// whatever they like beside whom.
func TestEventsAreReadNoFurtherThanNeeded(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		body    string
		entries int
	}{
		"half a membership":    {happened("organizationMembership.deleted", `{"organization":{"id":"org_1"}}`), 0},
		"an organization":      {happened("organization.deleted", `{}`), 0},
		"nobody who pays":      {happened("subscription.updated", `{"id":"sub_1","payer":null}`), 0},
		"odd members beside":   {happened("session.revoked", `{"id":"sess_1","banned":"x","organization":7,"payer":[],"public_user_data":"y"}`), 1},
		"odd members of users": {happened("user.deleted", `{"id":"user_1","banned":{},"locked":[]}`), 1},
	} {
		r := newReceiver(t, nil)
		if w := r.deliver("msg_1", c.body); w.Code != http.StatusNoContent || r.service.Len() != c.entries {
			t.Errorf("%s: %d, %d entries", name, w.Code, r.service.Len())
		}
	}
}

// A time that cannot be does not make fresh tokens stale for long.
func TestEventsDoNotHappenInTheFuture(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	r.deliver("msg_1", `{"type":"organization.deleted","timestamp":99999999999999,"data":{"id":"org_1"}}`)
	r.deliver("msg_2", `{"type":"organization.deleted","data":{"id":"org_2"}}`)
	for _, e := range r.service.all() {
		if e.At > now.Add(maxClockAhead).UnixMilli() || e.At < now.UnixMilli() {
			t.Errorf("%+v", e)
		}
	}
}

func TestWhatIsNotADeliveryIsRefused(t *testing.T) {
	t.Parallel()
	event := happened("session.revoked", `{"id":"sess_1"}`)
	long := strings.Repeat(" ", maxDelivery+1)
	for name, c := range map[string]struct {
		change func(*http.Request)
		body   string
		want   int
	}{
		"GET":                 {func(r *http.Request) { r.Method = http.MethodGet }, event, http.StatusMethodNotAllowed},
		"a body too long":     {func(*http.Request) {}, long, http.StatusRequestEntityTooLarge},
		"no signature":        {func(r *http.Request) { r.Header.Del("Svix-Signature") }, event, http.StatusBadRequest},
		"another's signature": {func(r *http.Request) { r.Header.Set("Svix-Signature", "v1,"+strings.Repeat("A", 43)+"=") }, event, http.StatusBadRequest},
		"another body":        {func(r *http.Request) { r.Header = clerktest.SignWebhook(secret, "msg_1", now, []byte("{}")) }, event, http.StatusBadRequest},
		"an old delivery": {func(r *http.Request) {
			r.Header = clerktest.SignWebhook(secret, "msg_1", now.Add(-tolerance-time.Second), []byte(event))
		}, event, http.StatusBadRequest},
		"a delivery to come": {func(r *http.Request) {
			r.Header = clerktest.SignWebhook(secret, "msg_1", now.Add(tolerance+time.Second), []byte(event))
		}, event, http.StatusBadRequest},
		"other names":        {func(r *http.Request) { r.Header.Set("Webhook-Id", r.Header.Get("Svix-Id")); r.Header.Del("Svix-Id") }, event, http.StatusBadRequest},
		"a time with a sign": {func(r *http.Request) { r.Header.Set("Svix-Timestamp", "+"+r.Header.Get("Svix-Timestamp")) }, event, http.StatusBadRequest},
	} {
		r := newReceiver(t, nil)
		request := httptest.NewRequest(http.MethodPost, "/webhooks/clerk", strings.NewReader(c.body))
		request.Header = clerktest.SignWebhook(secret, "msg_1", now, []byte(c.body))
		c.change(request)
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request)
		if w.Code != c.want || r.service.Len() != 0 {
			t.Errorf("%s: %d, want %d; %d entries", name, w.Code, c.want, r.service.Len())
		}
		if said := w.Body.String() + r.logged.String(); strings.Contains(said, "whsec_") || strings.Contains(said, "AAAA") || strings.Contains(said, "canary") {
			t.Errorf("%s: says %s", name, said)
		}
	}
}

// A delivery that could not be stored is answered so that Clerk sends it again,
// and then it is not taken for a repetition.
func TestADeliveryIsTakenWhenItIsStored(t *testing.T) {
	t.Parallel()
	client := redis.NewClient(&redis.Options{Addr: "127.0.0.1:1", MaxRetries: -1})
	defer client.Close()
	r := newReceiver(t, client)
	for range 2 {
		if w := r.deliver("msg_1", happened("session.revoked", `{"id":"sess_1"}`)); w.Code != http.StatusServiceUnavailable {
			t.Errorf("%d", w.Code)
		}
	}
	if got := r.service.Stats().Webhooks; got != (WebhookStats{Failed: 2}) {
		t.Errorf("counted %+v", got)
	}
	if r.service.Revoked(member(), now) == "" {
		t.Error("this process lets the session pass")
	}
}

func TestADeliveryAgainDoesNothingMore(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	for range 3 {
		if w := r.deliver("msg_1", happened("session.revoked", `{"id":"sess_1"}`)); w.Code != http.StatusNoContent {
			t.Errorf("%d", w.Code)
		}
	}
	if got := r.service.Stats(); got.Revoked != 1 || got.Webhooks.Taken != 1 {
		t.Errorf("counted %+v", got)
	}
}

// A configuration that is loaded anew makes a receiver anew, and two handlers
// have one each.
func TestADeliveryToTwoReceiversHasOneEffect(t *testing.T) {
	t.Parallel()
	first := newReceiver(t, nil)
	for _, c := range []struct {
		secret string
		want   Stats
	}{
		{secret, Stats{Entries: 1, Revoked: 1, Webhooks: WebhookStats{Taken: 1}}},
		{strings.TrimPrefix(secret, "whsec_"), Stats{Entries: 1, Revoked: 1, Webhooks: WebhookStats{Taken: 1}}},
		// Who signs with another secret cannot use up what Clerk is about to send.
		{"whsec_YW5vdGhlci1jYW5hcnktc2VjcmV0LTAy", Stats{Entries: 1, Revoked: 2, Webhooks: WebhookStats{Taken: 2}}},
	} {
		r, err := NewReceiver(first.service, c.secret)
		if err != nil {
			t.Fatal(err)
		}
		body := happened("session.revoked", `{"id":"sess_1"}`)
		request := httptest.NewRequest(http.MethodPost, "/webhooks/clerk", strings.NewReader(body))
		request.Header = clerktest.SignWebhook(c.secret, "msg_1", now, []byte(body))
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request)
		if got := first.service.Stats(); w.Code != http.StatusNoContent || got != c.want {
			t.Errorf("%d, counted %+v, want %+v", w.Code, got, c.want)
		}
	}
}

func TestTokensOfAnyAgeCountUntilThereIsAReceiver(t *testing.T) {
	t.Parallel()
	service := New(Options{AnyAge: true, Now: func() time.Time { return now }})
	old := member()
	old.IssuedAt = now.Add(-DefaultLifetime - time.Second)
	if reason := service.Revoked(old, now); reason != "" {
		t.Errorf("%s before there is a receiver", reason)
	}
	if _, err := NewReceiver(service, "canary-"); err == nil || service.Revoked(old, now) != "" {
		t.Errorf("a receiver that was not made counts (%v)", err)
	}
	if _, err := NewReceiver(service, secret); err != nil {
		t.Fatal(err)
	}
	if reason := service.Revoked(old, now); reason != policy.ReasonClaimsStale {
		t.Errorf("%q once there is a receiver", reason)
	}
}

func TestAnotherBodyIsAnotherDelivery(t *testing.T) {
	t.Parallel()
	r := newReceiver(t, nil)
	for _, id := range []string{"sess_1", "sess_2", "sess_1"} {
		r.deliver("msg_1", happened("session.revoked", `{"id":"`+id+`"}`))
	}
	if r.service.Len() != 2 || r.service.Stats().Webhooks.Taken != 2 {
		t.Errorf("%d entries, taken %d", r.service.Len(), r.service.Stats().Webhooks.Taken)
	}
}

func TestSecretsThatAreNone(t *testing.T) {
	t.Parallel()
	for _, text := range []string{"", "whsec_", "whsec_canary!", "canary-", "whsec_QQ", "whsec_Y2FuYXJ5===", "whsec_Y2Fu\nYXJ5"} {
		if _, err := NewReceiver(New(Options{}), text); err == nil || strings.Contains(err.Error(), "canary") {
			t.Errorf("%q: %v", text, err)
		}
	}
}

// Nothing is revoked by what the secret did not sign, nor by more than is named.
func FuzzDelivery(f *testing.F) {
	f.Add("msg_1", "1767268800", "v1,AAAA", []byte(happened("session.revoked", `{"id":"sess_1"}`)), false)
	f.Add("msg_1", "1767268800", "", []byte(happened("user.deleted", `{"id":"user_1"}`)), true)
	f.Add("msg_1", "", "v1,", []byte(`{"type":"role.updated","data":{}}`), true)
	f.Fuzz(func(t *testing.T, id, stamp, signature string, body []byte, signed bool) {
		r := newReceiver(t, nil)
		request := httptest.NewRequestWithContext(context.Background(), http.MethodPost, "/", bytes.NewReader(body))
		request.Header = http.Header{"Svix-Id": {id}, "Svix-Timestamp": {stamp}, "Svix-Signature": {signature}}
		if signed {
			request.Header = clerktest.SignWebhook(secret, id, now, body)
		}
		w := httptest.NewRecorder()
		r.ServeHTTP(w, request)
		entries := r.service.all()
		if len(entries) > 0 && (!signed || w.Code != http.StatusNoContent) {
			t.Fatalf("%d, and %+v", w.Code, entries)
		}
		for _, e := range entries {
			if !bytes.Contains(body, []byte(e.ID)) && !bytes.Contains(body, []byte(`\u`)) {
				t.Fatalf("%+v is not in %q", e, body)
			}
		}
	})
}
