package revocation

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// deliveries are what the receivers of a service have in common: a delivery that
// reaches two of them has one effect, and a configuration that is loaded anew
// forgets none.
type deliveries struct {
	// seen are those that were taken; made by the first.
	seen                         func() *otter.Cache[delivery, struct{}]
	taken, refused, failed, busy atomic.Uint64
	// open are being read, and room is what their bodies take, in bytes.
	open, room atomic.Int64
}

// delivery is what tells one from all others. Who signs is a part of it, so that
// nobody can use up what somebody else is about to send, and so is what was sent:
// another body under the same id is another delivery.
type delivery struct {
	signer [sha256.Size]byte
	id     string
	body   [sha256.Size]byte
}

func newSeen() *otter.Cache[delivery, struct{}] {
	return otter.Must(&otter.Options[delivery, struct{}]{MaximumSize: maxSeen, ExpiryCalculator: otter.ExpiryWriting[delivery, struct{}](seenTime)})
}

// WebhookStats are for metrics.
type WebhookStats struct {
	// Taken counts deliveries that were believed, each once, Refused those that
	// were not, Failed those that could not be stored, and Busy those that came while
	// too much was being read.
	Taken, Refused, Failed, Busy uint64
}

func (d *deliveries) stats() WebhookStats {
	return WebhookStats{Taken: d.taken.Load(), Refused: d.refused.Load(), Failed: d.failed.Load(), Busy: d.busy.Load()}
}

// errBusy: too much is being read already.
var errBusy = errors.New("too many deliveries at once; send it again")

// read reads the body of one delivery, as long as there is room for it. The room is
// taken for what has come, not for what is announced. Call done once the body is no
// longer needed, whatever the error.
func (d *deliveries) read(body io.Reader) (text []byte, done func(), err error) {
	taken := int64(0)
	done = func() {
		d.room.Add(-taken)
		d.open.Add(-1)
	}
	if d.open.Add(1) > maxOpen {
		return nil, done, errBusy
	}
	var b bytes.Buffer
	for {
		const more = 2 * readSize // it grows by doubling
		taken += more
		if d.room.Add(more) > maxRoom {
			return nil, done, errBusy
		}
		if _, err = io.CopyN(&b, body, readSize); err == io.EOF {
			return b.Bytes(), done, nil
		} else if err != nil {
			return nil, done, err
		}
	}
}
