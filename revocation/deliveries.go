package revocation

import (
	"crypto/sha256"
	"sync/atomic"

	"github.com/maypok86/otter/v2"
)

// deliveries are what the receivers of a service have in common: a delivery that
// reaches two of them has one effect, and a configuration that is loaded anew
// forgets none.
type deliveries struct {
	// seen are those that were taken; made by the first.
	seen                   func() *otter.Cache[delivery, struct{}]
	taken, refused, failed atomic.Uint64
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
	// were not, and Failed those that could not be stored.
	Taken, Refused, Failed uint64
}

func (d *deliveries) stats() WebhookStats {
	return WebhookStats{Taken: d.taken.Load(), Refused: d.refused.Load(), Failed: d.failed.Load()}
}
