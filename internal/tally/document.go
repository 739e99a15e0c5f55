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
var documentFamilies = []struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	collect    func(d *Document, put put)
}{
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

// documentCollector reads a Document when Prometheus scrapes.
type documentCollector struct {
	document *Document
	descs    []*prometheus.Desc // as documentFamilies
}

// Register registers the metrics of the document, with the constant label adapter.
func (d *Document) Register(registry prometheus.Registerer, adapter string) error {
	c := &documentCollector{document: d}
	for _, f := range documentFamilies {
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, f.labels, prometheus.Labels{"adapter": adapter}))
	}
	if err := registry.Register(c); err != nil {
		return fmt.Errorf("registering the metrics of the document: %w", err)
	}
	return nil
}

// Describe implements [prometheus.Collector].
func (c *documentCollector) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *documentCollector) Collect(out chan<- prometheus.Metric) {
	c.document.mu.Lock()
	defer c.document.mu.Unlock()
	for i, f := range documentFamilies {
		f.collect(c.document, func(value float64, labels ...string) {
			out <- prometheus.MustNewConstMetric(c.descs[i], f.kind, value, labels...)
		})
	}
}
