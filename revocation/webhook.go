package revocation

import (
	"crypto/sha256"
	"errors"
	"io"
	"log/slog"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/maypok86/otter/v2"
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
	seen     *otter.Cache[delivery, struct{}]

	// Taken counts deliveries that were believed, Refused those that were not,
	// and Failed those that could not be stored.
	Taken, Refused, Failed atomic.Uint64
}

// NewReceiver returns a receiver of the deliveries that a secret signs.
func NewReceiver(service *Service, secret string) (*Receiver, error) {
	verifier, err := NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	return &Receiver{
		service: service, verifier: verifier, logger: service.options.Logger, now: service.options.Now,
		seen: otter.Must(&otter.Options[delivery, struct{}]{MaximumSize: maxSeen, ExpiryCalculator: otter.ExpiryWriting[delivery, struct{}](seenTime)}),
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
	id := deliveryOf(request.Header, body)
	if _, again := r.seen.GetIfPresent(id); again {
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
			r.Failed.Add(1)
			r.logger.Error("a webhook could not be stored", "error", err)
			http.Error(w, "not stored; send it again", http.StatusServiceUnavailable)
			return
		}
	}
	r.seen.Set(id, struct{}{})
	r.Taken.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

// delivery identifies one that was made: sent again it has the same id and body.
// Another body under the same id is another delivery.
type delivery [sha256.Size]byte

func deliveryOf(h http.Header, body []byte) delivery {
	id := sha256.Sum256([]byte(joined(h, "Svix-Id")))
	hash := sha256.New()
	hash.Write(id[:])
	hash.Write(body)
	return delivery(hash.Sum(nil))
}

// refuse answers what is not believed. Nothing of the request is repeated.
func (r *Receiver) refuse(w http.ResponseWriter, status int, why string) {
	r.Refused.Add(1)
	r.logger.Warn("a webhook was refused", "status", status, "reason", why)
	http.Error(w, why, status)
}
