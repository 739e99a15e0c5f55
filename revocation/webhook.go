package revocation

import (
	"crypto/sha256"
	"errors"
	"log/slog"
	"net/http"
	"os"
	"time"
)

// Path is the default path of a [Receiver].
const Path = "/webhooks/clerk"

// Bounds of the receiver.
const (
	// maxDelivery bounds the body of a delivery, in bytes.
	maxDelivery = 1 << 20
	// maxOpen bounds the deliveries that are read concurrently, and maxOpenBytes their
	// buffers, in bytes. Others are answered 503, and Clerk retries them.
	maxOpen      = 256
	maxOpenBytes = 32 << 20
	// readSize is how much of a body is read at once, in bytes, and readTime the timeout
	// for all of it.
	readSize = 16 << 10
	readTime = 5 * time.Second
	// maxRemembered bounds the deliveries that are remembered for rememberTime, to find
	// duplicates.
	maxRemembered = 100_000
	rememberTime  = 2 * tolerance
)

// Receiver is an HTTP handler of Clerk's webhooks: POST requests with a signed event. It
// answers 204 once the revocations of the event are stored, 400 to 413 for an invalid
// delivery, and 503 if storing failed or too many are being read. Clerk retries what is
// not answered 2xx.
type Receiver struct {
	service  *Service
	verifier *Verifier
	logger   *slog.Logger
}

// NewReceiver returns a receiver of the deliveries that are signed with a secret
// (whsec_...). All receivers of a service share their counts, and find each other's
// duplicates. It returns an error if the secret is invalid. It ends
// [Options.AnyAge].
func NewReceiver(service *Service, secret string) (*Receiver, error) {
	verifier, err := NewVerifier(secret)
	if err != nil {
		return nil, err
	}
	service.anyAge.Store(false)
	return &Receiver{service: service, verifier: verifier, logger: service.options.Logger}, nil
}

// ServeHTTP receives one delivery.
func (r *Receiver) ServeHTTP(w http.ResponseWriter, request *http.Request) {
	w.Header().Set("Cache-Control", "no-store")
	if request.Method != http.MethodPost {
		w.Header().Set("Allow", http.MethodPost)
		http.Error(w, "webhooks must be POST requests", http.StatusMethodNotAllowed)
		return
	}
	// Anonymous clients can send requests, too: no more is read than is needed.
	deadline := func(at time.Time) { _ = http.NewResponseController(w).SetReadDeadline(at) } // where the server can
	deadline(time.Now().Add(readTime))
	fields, err := readDeliveryHeader(request.Header, r.service.clocks()...)
	if err != nil {
		r.reject(w, http.StatusBadRequest, err.Error())
		return
	}
	if request.ContentLength > maxDelivery {
		r.reject(w, http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB")
		return
	}
	body, done, err := r.service.deliveries.read(http.MaxBytesReader(w, request.Body, maxDelivery))
	defer done()
	if err != nil {
		r.answerReadError(w, err)
		return
	}
	deadline(time.Time{}) // storing has a timeout of its own
	if err := r.verifier.verify(fields, body); err != nil {
		r.reject(w, http.StatusBadRequest, err.Error())
		return
	}
	r.process(w, request, fields, body)
}

// answerReadError answers a delivery whose body could not be read.
func (r *Receiver) answerReadError(w http.ResponseWriter, err error) {
	_, tooLong := errors.AsType[*http.MaxBytesError](err)
	switch {
	case errors.Is(err, errBusy):
		r.service.deliveries.busy.Add(1)
		w.Header().Set("Retry-After", "5")
		http.Error(w, errBusy.Error(), http.StatusServiceUnavailable)
	case tooLong:
		r.reject(w, http.StatusRequestEntityTooLarge, "the body is larger than 1 MiB")
	case errors.Is(err, os.ErrDeadlineExceeded):
		r.reject(w, http.StatusRequestTimeout, "the body did not come in time")
	default:
		r.reject(w, http.StatusBadRequest, "the body cannot be read")
	}
}

// process applies the event of a valid delivery.
func (r *Receiver) process(w http.ResponseWriter, request *http.Request, fields deliveryHeader, body []byte) {
	d := &r.service.deliveries
	this := delivery{r.verifier.signer, fields.id, sha256.Sum256(body)}
	if _, again := d.remembered().GetIfPresent(this); again {
		w.WriteHeader(http.StatusNoContent)
		return
	}
	entries, ok := readEvent(body, fields.at) // by Clerk's own clock
	if !ok {
		r.reject(w, http.StatusBadRequest, "the body is not an event")
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
	d.remembered().Set(this, struct{}{})
	d.taken.Add(1)
	w.WriteHeader(http.StatusNoContent)
}

// reject answers and logs an invalid delivery. Nothing of the request is repeated.
func (r *Receiver) reject(w http.ResponseWriter, status int, why string) {
	r.service.deliveries.refused.Add(1)
	r.logger.Warn("webhook rejected", "status", status, "reason", why)
	http.Error(w, why, status)
}
