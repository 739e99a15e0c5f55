package revocation

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// deliveries is the state that the receivers of a service share: a delivery that reaches
// two of them has one effect, and reloading the configuration forgets none.
type deliveries struct {
	// remembered are those that were processed; the first call makes the cache.
	remembered                   func() *otter.Cache[delivery, struct{}]
	taken, refused, failed, busy atomic.Uint64
	// open is how many are being read, and openBytes the size of their buffers.
	open, openBytes atomic.Int64
}

// delivery identifies a delivery. The signer is a part of it, so that the owner of
// another secret cannot make a delivery look like a duplicate; and so is the body:
// another body with the same svix-id is another delivery.
type delivery struct {
	signer [sha256.Size]byte
	id     string
	body   [sha256.Size]byte
}

func newRemembered() *otter.Cache[delivery, struct{}] {
	return otter.Must(&otter.Options[delivery, struct{}]{MaximumSize: maxRemembered, ExpiryCalculator: otter.ExpiryWriting[delivery, struct{}](rememberTime)})
}

// WebhookStats counts deliveries of webhooks, for metrics.
type WebhookStats struct {
	// Taken counts valid deliveries, each once; Refused those that were rejected as
	// invalid; Failed those whose revocations could not be stored; and Busy those that
	// were rejected because too many were being read.
	Taken, Refused, Failed, Busy uint64
}

func (d *deliveries) stats() WebhookStats {
	return WebhookStats{Taken: d.taken.Load(), Refused: d.refused.Load(), Failed: d.failed.Load(), Busy: d.busy.Load()}
}

// errBusy is the error while too many deliveries are being read.
var errBusy = errors.New("too many deliveries at once; send it again")

// read reads the body of one delivery, or returns errBusy. It counts the bytes that have
// arrived, not the Content-Length. Call done once the body is no longer needed, also
// after an error.
func (d *deliveries) read(body io.Reader) (text []byte, done func(), err error) {
	taken := int64(0)
	done = func() {
		d.openBytes.Add(-taken)
		d.open.Add(-1)
	}
	if d.open.Add(1) > maxOpen {
		return nil, done, errBusy
	}
	var b bytes.Buffer
	for {
		const more = 2 * readSize // it grows by doubling
		taken += more
		if d.openBytes.Add(more) > maxOpenBytes {
			return nil, done, errBusy
		}
		if _, err = io.CopyN(&b, body, readSize); err == io.EOF {
			return b.Bytes(), done, nil
		} else if err != nil {
			return nil, done, err
		}
	}
}
