package revocation

import (
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"time"
)

// Path is where a [Receiver] is usually mounted.
const Path = "/webhooks/clerk"

// Bounds of the receiver.
const (
	// maxDelivery bounds the body of a delivery, in bytes.
	maxDelivery = 1 << 20
	// maxSeen bounds the deliveries that are remembered, to do nothing twice.
	maxSeen  = 100_000
	seenTime = 2 * tolerance
)

// Receiver takes Clerk's webhooks: POST with a signed event. It answers 204 once
// what the event revokes is stored, so that Clerk sends again whatever was not.
type Receiver struct {
	service  *Service
	verifier *Verifier
	logger   *slog.Logger
	now      func() time.Time
}

// NewReceiver returns a receiver of the deliveries that a secret signs. All
// receivers of a service have what they took, and their counts, in common.
func NewReceiver(service *Service, secret string) (*Receiver, error) {
	verifier, err := NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	service.anyAge.Store(false)
	return &Receiver{
		service: service, verifier: verifier, logger: service.options.Logger, now: service.options.Now,
	}, nil
}

// ServeHTTP takes one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "deliveries are POST", http.StatusMethodNotAllowed)
		return
	}
	body, err := io.ReadAll(http.MaxBytesReader(w, request.Body, maxDelivery))
	if err != nil {
		status := http.StatusBadRequest
		if _, tooLong := errors.AsType[*http.MaxBytesError](err); tooLong {
			status = http.StatusRequestEntityTooLarge
		}
		r.refuse(w, status, "the body cannot be read")
		return
	}
	if err := r.verifier.Verify(request.Header, body, r.now()); err != nil {
		r.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	r.take(w, request, body)
}

// take does what a delivery that is Clerk's says.
func (r *Receiver) take(w http.ResponseWriter, request *http.Request, body []byte) {
	d := &r.service.deliveries
	this := delivery{r.verifier.signer, joined(request.Header, "Svix-Id"), sha256.Sum256(body)}
	if _, again := d.seen().GetIfPresent(this); again {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	entries, ok := readEvent(body, r.now())
	if !ok {
		r.refuse(w, http.StatusBadRequest, "the body is no event")
		return
	}
	if len(entries) > 0 {
		if err := r.service.Revoke(request.Context(), entries...); err != nil {
			d.failed.Add(1)
			r.logger.Error("a webhook could not be stored", "error", err)
			http.Error(w, "not stored; send it again", http.StatusServiceUnavailable)
			return
		}
	}
	d.seen().Set(this, struct{}{})
	d.taken.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

// refuse answers what is not believed. Nothing of the request is repeated.
func (r *Receiver) refuse(w http.ResponseWriter, status int, why string) {
	r.service.deliveries.refused.Add(1)
	r.logger.Warn("a webhook was refused", "status", status, "reason", why)
	http.Error(w, why, status)
}
