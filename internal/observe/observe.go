package observe

import (
	"errors"
	"fmt"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/policy"
)

// buckets are upper bounds in seconds: from what a cached decision costs up to
// what a proxy waits.
var buckets = []float64{50e-6, 100e-6, 250e-6, 500e-6, 1e-3, 2.5e-3, 5e-3, 10e-3, 25e-3, 50e-3, 100e-3, 150e-3, 250e-3, 1}

// decisions are the Prometheus collectors of one adapter. Nil counts nothing.
type decisions struct {
	total    *prometheus.CounterVec
	shadow   *prometheus.CounterVec
	seconds  prometheus.Histogram
	inFlight prometheus.Gauge
	panics   prometheus.Counter
	limits   *prometheus.CounterVec

	decisionCounters series[decisionLabels]
	limitCounters    series[limitResult]
}

// decisionLabels are the labels of one counter of total, or of shadow.
type decisionLabels struct {
	rule    string
	outcome policy.Outcome
	reason  policy.Reason
	shadow  bool
}

// limitResult is the labels of one counter of limits.
type limitResult struct{ limit, result string }

// newDecisions registers the collectors of one adapter ("envoy", "caddy", "http"), with
// the constant label adapter. Registering an adapter again at the same registry, as after
// a reload, continues its counters.
func newDecisions(registry prometheus.Registerer, adapter string) (*decisions, error) {
	labels := prometheus.Labels{"adapter": adapter}
	d := &decisions{}
	var err error
	d.total = register(registry, &err, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clerkgate_decisions_total", Help: "Decisions made, by rule, outcome and reason.", ConstLabels: labels,
	}, []string{"rule", "outcome", "reason"}))
	d.shadow = register(registry, &err, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clerkgate_shadow_total", Help: "Requests that passed only because the policy or the rule is in shadow mode, by the reason it would have refused for.", ConstLabels: labels,
	}, []string{"rule", "reason"}))
	d.seconds = register(registry, &err, prometheus.NewHistogram(prometheus.HistogramOpts{
		Name: "clerkgate_decision_seconds", Help: "Time from the request's arrival to its decision, in seconds.", ConstLabels: labels, Buckets: buckets,
	}))
	d.inFlight = register(registry, &err, prometheus.NewGauge(prometheus.GaugeOpts{
		Name: "clerkgate_decisions_in_flight", Help: "Decisions being made now.", ConstLabels: labels,
	}))
	d.panics = register(registry, &err, prometheus.NewCounter(prometheus.CounterOpts{
		Name: "clerkgate_panics_total", Help: "Panics that became a refusal.", ConstLabels: labels,
	}))
	d.limits = register(registry, &err, prometheus.NewCounterVec(prometheus.CounterOpts{
		Name: "clerkgate_limits_total", Help: "Requests counted against limits, by limit and result: passed, refused, or shadow where it would have been refused.", ConstLabels: labels,
	}, []string{"limit", "result"}))
	if err != nil {
		return nil, fmt.Errorf("registering metrics: %w", err)
	}
	return d, nil
}

// register registers a collector, or returns the same one that was registered before.
func register[C prometheus.Collector](registry prometheus.Registerer, failed *error, collector C) C {
	err := registry.Register(collector)
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if existing, ok := already.ExistingCollector.(C); ok {
			return existing
		}
	}
	*failed = errors.Join(*failed, err)
	return collector
}

// begin counts a decision in progress, until end.
func (o *decisions) begin() {
	if o != nil {
		o.inFlight.Inc()
	}
}

// end is the counterpart of begin.
func (o *decisions) end() {
	if o != nil {
		o.inFlight.Dec()
	}
}

// observe counts a decision and its duration.
func (o *decisions) observe(d *policy.Decision, took time.Duration) {
	if o == nil {
		return
	}
	o.seconds.Observe(took.Seconds())
	o.count(decisionLabels{d.Rule, d.Outcome, d.Reason, false})
	if d.Shadow != nil {
		o.count(decisionLabels{d.Rule, d.Shadow.Outcome, d.Shadow.Reason, true})
	}
	if d.Reason == policy.ReasonPanic || d.Shadow != nil && d.Shadow.Reason == policy.ReasonPanic {
		o.panics.Inc()
	}
	for i := range d.Limits {
		o.countLimit(&d.Limits[i])
	}
}

func (o *decisions) count(v decisionLabels) {
	o.decisionCounters.counter(v, func(full bool) prometheus.Counter {
		if full {
			v.rule = other
		}
		if v.shadow {
			return o.shadow.WithLabelValues(v.rule, string(v.reason))
		}
		return o.total.WithLabelValues(v.rule, v.outcome.String(), string(v.reason))
	}).Inc()
}

func (o *decisions) countLimit(r *policy.LimitResult) {
	t := limitResult{r.Name, "passed"}
	switch {
	case r.Allowed:
	case r.Shadow:
		t.result = "shadow"
	default:
		t.result = "refused"
	}
	o.limitCounters.counter(t, func(full bool) prometheus.Counter {
		if full {
			t.limit = other
		}
		return o.limits.WithLabelValues(t.limit, t.result)
	}).Inc()
}
