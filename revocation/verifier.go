package revocation

import (
	"bytes"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// tolerance is how far the timestamp of a delivery may be from now, either way.
const tolerance = 5 * time.Minute

// Verifier verifies the signatures of Clerk's webhook deliveries (Standard Webhooks, with
// the header fields svix-id, svix-timestamp and svix-signature).
type Verifier struct {
	webhook *standardwebhooks.Webhook
	// signer is the SHA-256 of the secret.
	signer [sha256.Size]byte
}

// NewVerifier returns a verifier for a signing secret (whsec_ and base64). It returns an
// error for an invalid secret, which does not contain it.
func NewVerifier(secret string) (*Verifier, error) {
	text := strings.TrimPrefix(secret, "whsec_")
	digits := strings.TrimRight(text, "=") // padded or not
	key, err := base64.RawStdEncoding.DecodeString(digits)
	misshapen := len(text) < 4 && text != "" || len(text)-len(digits) > 2 || strings.ContainsAny(text, "\r\n")
	if err != nil || misshapen {
		return nil, errors.New("the webhook secret is not whsec_ and base64") // err contains parts of the secret
	}
	if len(key) == 0 {
		return nil, errors.New("the webhook secret is empty")
	}
	webhook, err := standardwebhooks.NewWebhookRaw(key)
	if err != nil {
		return nil, errors.New("the webhook secret is not accepted")
	}
	return &Verifier{webhook, sha256.Sum256(key)}, nil
}

// deliveryHeader is the header fields of a delivery.
type deliveryHeader struct {
	id, stamp, signature string
	at                   time.Time
}

// readDeliveryHeader reads the header fields of a delivery. It returns an error if one is
// missing or malformed, or if the timestamp is more than five minutes from each of the
// present times.
func readDeliveryHeader(h http.Header, now ...time.Time) (s deliveryHeader, err error) {
	var missing []string
	for _, field := range []struct {
		name string
		to   *string
	}{{"svix-id", &s.id}, {"svix-timestamp", &s.stamp}, {"svix-signature", &s.signature}} {
		if *field.to = joined(h, field.name); *field.to == "" {
			missing = append(missing, field.name)
		}
	}
	switch len(missing) {
	case 0:
	case 1:
		return s, fmt.Errorf("%s is missing: Clerk sends it with every delivery", missing[0])
	default:
		last := len(missing) - 1
		return s, fmt.Errorf("%s and %s are missing: Clerk sends them with every delivery", strings.Join(missing[:last], ", "), missing[last])
	}
	at, err := readStamp(s.stamp)
	if err != nil {
		return s, err
	}
	s.at = time.Unix(at, 0)
	for _, now := range now {
		if away := now.Unix() - at; away <= int64(tolerance.Seconds()) && -away <= int64(tolerance.Seconds()) {
			return s, nil
		}
	}
	return s, errors.New("the delivery is too old, or from the future (svix-timestamp)")
}

// Verify returns an error unless the signature is valid, the timestamp is at most five
// minutes from now, and body is a JSON object.
func (v *Verifier) Verify(h http.Header, body []byte, now time.Time) error {
	s, err := readDeliveryHeader(h, now)
	if err != nil {
		return err
	}
	return v.verify(s, body)
}

// verify returns an error unless the signature is valid for the fields and the body, and
// body is a JSON object.
func (v *Verifier) verify(s deliveryHeader, body []byte) error {
	err := v.webhook.VerifyIgnoringTimestamp(body, http.Header{
		http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookID):        {s.id},
		http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookTimestamp): {s.stamp},
		http.CanonicalHeaderKey(standardwebhooks.HeaderWebhookSignature): {s.signature},
	})
	if err != nil {
		return fmt.Errorf("the delivery is not signed: %w", err)
	}
	if !utf8.Valid(body) || !json.Valid(body) || !bytes.HasPrefix(bytes.TrimLeft(body, " \t\r\n"), []byte("{")) {
		return errors.New("the body is no JSON object")
	}
	return nil
}

// joined returns the lines of a field, joined by commas (RFC 9110 § 5.3).
func joined(h http.Header, name string) string { return strings.Join(h.Values(name), ", ") }

// readStamp reads Unix seconds, in the one form that was signed: without sign or zeros.
func readStamp(text string) (int64, error) {
	at, err := strconv.ParseInt(text, 10, 64)
	if err != nil || strconv.FormatInt(at, 10) != text || at < 0 {
		return 0, errors.New("the time of the delivery (svix-timestamp) is not in Unix seconds")
	}
	return at, nil
}
