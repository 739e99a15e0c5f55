package clerktest

import (
	"bytes"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Webhook is an endpoint that events are sent to.
type Webhook struct {
	// URL is where they go. Empty: nowhere.
	URL string
	// Secret signs them: whsec_ and the base64 of the key.
	Secret string
}

// NewWebhookSecret makes a signing secret.
func NewWebhookSecret() string {
	return "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text()))
}

// Delivery is an event as it was sent.
type Delivery struct {
	// Type is session.revoked and the like.
	Type string
	// Status is what the endpoint answered; 0 is no answer.
	Status int
}

// event is something that happened, to be told.
type event struct {
	kind string
	data map[string]any
}

// maxDeliveries bounds the deliveries that are remembered; the oldest go first.
const maxDeliveries = 1024

// webhookTimeout is Svix's.
const webhookTimeout = 15 * time.Second

// Deliveries lists what was sent, oldest first.
func (i *Instance) Deliveries() []Delivery {
	i.mu.RLock()
	defer i.mu.RUnlock()
	return slices.Clone(i.deliveries)
}

// Send sends an event with the data that Clerk would send, or any other: once,
// whatever the endpoint answers. It returns when that has answered.
func (i *Instance) Send(kind string, data map[string]any) Delivery {
	d := Delivery{Type: kind}
	if i.options.Webhook.URL == "" {
		return d
	}
	d.Status = i.post(i.Event(kind, data))
	i.mu.Lock()
	defer i.mu.Unlock()
	i.deliveries = append(i.deliveries, d)
	if len(i.deliveries) > maxDeliveries {
		i.deliveries = slices.Delete(i.deliveries, 0, len(i.deliveries)-maxDeliveries)
	}
	return d
}

// send tells of what happened, in order. Whoever changes the world waits for it,
// so that a test that changed it goes on when all is told.
func (i *Instance) send(events []event) {
	for _, e := range events {
		i.Send(e.kind, e.data)
	}
}

// Event is an event's body. Its time is in milliseconds.
func (i *Instance) Event(kind string, data map[string]any) []byte {
	return encode(map[string]any{
		"object": "event", "type": kind, "data": data, "timestamp": millis(i.options.Now()), "instance_id": i.KeyID(),
		"event_attributes": map[string]any{"http_request": map[string]any{"client_ip": "127.0.0.1", "user_agent": "clerktest"}},
	})
}

func (i *Instance) post(body []byte) (status int) {
	r, err := http.NewRequest(http.MethodPost, i.options.Webhook.URL, bytes.NewReader(body))
	if err != nil {
		panic(fmt.Sprintf("clerktest: the webhook's URL: %v", err))
	}
	r.Header = SignWebhook(i.options.Webhook.Secret, "msg_"+rand.Text(), i.options.Now(), body)
	response, err := (&http.Client{Timeout: webhookTimeout}).Do(r)
	if err != nil {
		return 0
	}
	defer response.Body.Close()
	_, _ = io.Copy(io.Discard, io.LimitReader(response.Body, maxForm))
	return response.StatusCode
}

// SignWebhook makes the fields that an event comes with: HMAC-SHA256 over id,
// time and body (Standard Webhooks). It panics where the secret is none.
func SignWebhook(secret, id string, at time.Time, body []byte) http.Header {
	key, err := base64.StdEncoding.DecodeString(strings.TrimPrefix(secret, "whsec_"))
	if err != nil {
		panic("clerktest: this is no signing secret")
	}
	stamp := strconv.FormatInt(at.Unix(), 10)
	mac := hmac.New(sha256.New, key)
	fmt.Fprintf(mac, "%s.%s.%s", id, stamp, body)
	h := http.Header{}
	h.Set("Content-Type", "application/json")
	h.Set("svix-id", id)
	h.Set("svix-timestamp", stamp)
	h.Set("svix-signature", "v1,"+base64.StdEncoding.EncodeToString(mac.Sum(nil)))
	return h
}
