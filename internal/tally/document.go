package tally

import (
	"fmt"
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"
)

// Document counts how a document was loaded, and tells which one is in force. It is safe
// for concurrent use; the zero value has loaded nothing.
type Document struct {
	mu             sync.Mutex
	taken, refused uint64
	inForce        bool // the document as it was read last
	hash           string
	at             time.Time
}

// Taken counts a document that is now in force, with its hash.
func (d *Document) Taken(hash string, at time.Time) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.taken++
	d.inForce, d.hash, d.at = true, hash, at
}

// Refused counts a document that is not valid, so that the one before stays in force.
func (d *Document) Refused() {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.refused++
	d.inForce = false
}

// documentFamilies are the metrics of a document.
var documentFamilies = []family[*Document]{
	{"clerkgate_document_loads_total", "How often the policy document was loaded, the start included: taken, or refused, so that the one before stayed in force.", counter, []string{"result"},
		func(d *Document, put put) {
			put(float64(d.taken), "taken")
			put(float64(d.refused), "refused")
		}},
	{"clerkgate_document_loaded_timestamp_seconds", "When the document in force was loaded, in seconds since 1970.", gauge, nil,
		func(d *Document, put put) { put(float64(d.at.UnixMilli()) / 1000) }},
	{"clerkgate_document_in_force", "1 while the policy document that was read last is in force; 0 if it was refused.", gauge, nil,
		func(d *Document, put put) {
			if d.inForce {
				put(1)
				return
			}
			put(0)
		}},
	{"clerkgate_document_info", "Always 1: its label is the start of the SHA-256 of the document in force.", gauge, []string{"hash"},
		func(d *Document, put put) { put(1, d.hash) }},
}

// Register registers the metrics of the document, with the constant label adapter.
func (d *Document) Register(registry prometheus.Registerer, adapter string) error {
	err := registry.Register(newCollector(d, adapter, documentFamilies, func(collect func(*Document)) {
		d.mu.Lock()
		defer d.mu.Unlock()
		collect(d)
	}))
	if err != nil {
		return fmt.Errorf("registering the metrics of the document: %w", err)
	}
	return nil
}
