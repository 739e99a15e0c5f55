package revocation

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"
)

// Path is where a [Receiver] is usually mounted.
const Path = "/webhooks/clerk"

// Bounds of the receiver.
const (
	// maxDelivery bounds the body of a delivery, in bytes.
	maxDelivery = 1 << 20
	// maxOpen bounds the deliveries that are read at once, and maxRoom what their
	// bodies take, in bytes. Clerk sends again what finds no room.
	maxOpen = 256
	maxRoom = 32 << 20
	// readSize is how much of a body is read at once, and readTime how long all of it
	// may take.
	readSize = 16 << 10
	readTime = 5 * time.Second
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
}

// NewReceiver returns a receiver of the deliveries that a secret signs. All
// receivers of a service have what they took, and their counts, in common.
func NewReceiver(service *Service, secret string) (*Receiver, error) {
	verifier, err := NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	service.anyAge.Store(false)
	return &Receiver{service: service, verifier: verifier, logger: service.options.Logger}, nil
}

// ServeHTTP takes one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "deliveries are POST", http.StatusMethodNotAllowed)
		return
	}
	// Strangers can send here, too: no more is read of them than is needed.
	deadline := func(at time.Time) { _ = http.NewResponseController(w).SetReadDeadline(at) } // where the server can
	deadline(time.Now().Add(readTime))
	fields, err := readStamped(request.Header, r.service.clocks()...)
	if err != nil {
		r.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	if request.ContentLength > maxDelivery {
		r.refuse(w, http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB")
		return
	}
	body, done, err := r.service.deliveries.read(http.MaxBytesReader(w, request.Body, maxDelivery))
	defer done()
	if err != nil {
		r.notRead(w, err)
		return
	}
	deadline(time.Time{}) // storing it has a time of its own
	if err := r.verifier.verify(fields, body); err != nil {
		r.refuse(w, http.StatusBadRequest, err.Error())
		return
	}
	r.take(w, request, fields, body)
}

// notRead answers what could not be read.
func (r *Receiver) notRead(w http.ResponseWriter, err error) {
	_, tooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case errors.Is(err, errBusy):
		r.service.deliveries.busy.Add(1)
		w.Header().Set("Retry-After", "5")
		http.Error(w, errBusy.Error(), http.StatusServiceUnavailable)
	case tooLong:
		r.refuse(w, http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB")
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.refuse(w, http.StatusRequestTimeout, "the body did not come in time")
	default:
		r.refuse(w, http.StatusBadRequest, "the body cannot be read")
	}
}

// take does what a delivery that is Clerk's says.
func (r *Receiver) take(w http.ResponseWriter, request *http.Request, fields stamped, body []byte) {
	d := &r.service.deliveries
	this := delivery{r.verifier.signer, fields.id, sha256.Sum256(body)}
	if _, again := d.seen().GetIfPresent(this); again {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	entries, ok := readEvent(body, fields.at) // by Clerk's own clock
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
