package tally

import "github.com/prometheus/client_golang/prometheus"

// family is one metric of what a T tells.
type family[T any] struct {
	name, help string
	kind       prometheus.ValueType
	labels     []string
	collect    func(t T, put put)
}

// put adds one value of a metric.
type put func(value float64, labels ...string)

const (
	counter = prometheus.CounterValue
	gauge   = prometheus.GaugeValue
)

// collector reads metrics when Prometheus scrapes.
type collector[T any] struct {
	of       any // whose metrics they are
	families []family[T]
	descs    []*prometheus.Desc // as families
	// read calls what it is given with what there is to tell now.
	read func(func(T))
}

func newCollector[T any](of any, adapter string, families []family[T], read func(func(T))) *collector[T] {
	c := &collector[T]{of: of, families: families, read: read}
	for _, f := range families {
		c.descs = append(c.descs, prometheus.NewDesc(f.name, f.help, f.labels, prometheus.Labels{"adapter": adapter}))
	}
	return c
}

// Describe implements [prometheus.Collector].
func (c *collector[T]) Describe(out chan<- *prometheus.Desc) {
	for _, d := range c.descs {
		out <- d
	}
}

// Collect implements [prometheus.Collector].
func (c *collector[T]) Collect(out chan<- prometheus.Metric) {
	c.read(func(t T) {
		for i, f := range c.families {
			f.collect(t, func(value float64, labels ...string) {
				out <- prometheus.MustNewConstMetric(c.descs[i], f.kind, value, labels...)
			})
		}
	})
}
