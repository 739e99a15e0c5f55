package observe

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clerkgate/clerkgate/policy"
)

func decisionsOf(tb testing.TB) (*decisions, *prometheus.Registry) {
	tb.Helper()
	registry := prometheus.NewPedanticRegistry()
	o, err := newDecisions(registry, "envoy")
	if err != nil {
		tb.Fatal(err)
	}
	return o, registry
}

func TestDecisionsAreCountedByRuleOutcomeAndReason(t *testing.T) {
	t.Parallel()
	o, registry := decisionsOf(t)
	o.begin()
	o.observe(&policy.Decision{Rule: "admin", Outcome: policy.Deny, Reason: policy.ReasonRoleMissing}, time.Millisecond)
	o.observe(&policy.Decision{Rule: "admin", Outcome: policy.Deny, Reason: policy.ReasonRoleMissing}, time.Millisecond)
	o.observe(&policy.Decision{Rule: "public", Outcome: policy.Allow, Reason: policy.ReasonShadow,
		Shadow: &policy.Decision{Reason: policy.ReasonRateLimited}}, time.Millisecond)
	o.observe(&policy.Decision{Outcome: policy.Error, Reason: policy.ReasonPanic}, time.Millisecond)
	want := `
# HELP clerkgate_decisions_in_flight Decisions being made now.
# TYPE clerkgate_decisions_in_flight gauge
clerkgate_decisions_in_flight{adapter="envoy"} 1
# HELP clerkgate_decisions_total Decisions made, by rule, outcome and reason.
# TYPE clerkgate_decisions_total counter
clerkgate_decisions_total{adapter="envoy",outcome="allow",reason="shadow",rule="public"} 1
clerkgate_decisions_total{adapter="envoy",outcome="deny",reason="role-missing",rule="admin"} 2
clerkgate_decisions_total{adapter="envoy",outcome="error",reason="internal-error",rule=""} 1
# HELP clerkgate_panics_total Panics that became a refusal.
# TYPE clerkgate_panics_total counter
clerkgate_panics_total{adapter="envoy"} 1
# HELP clerkgate_shadow_total Requests that passed only because the policy or the rule is in shadow mode, by the reason it would have refused for.
# TYPE clerkgate_shadow_total counter
clerkgate_shadow_total{adapter="envoy",reason="rate-limited",rule="public"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want),
		"clerkgate_decisions_total", "clerkgate_decisions_in_flight", "clerkgate_panics_total", "clerkgate_shadow_total"); err != nil {
		t.Error(err)
	}
	o.end()
	if got := testutil.ToFloat64(o.inFlight); got != 0 {
		t.Errorf("in flight %v, want 0", got)
	}
}

func TestLimitsAreCountedByResult(t *testing.T) {
	t.Parallel()
	o, registry := decisionsOf(t)
	o.observe(&policy.Decision{Limits: []policy.LimitResult{{Name: "per-ip", Allowed: true}, {Name: "per-user"}}}, time.Millisecond)
	o.observe(&policy.Decision{Limits: []policy.LimitResult{{Name: "per-ip", Allowed: true}, {Name: "per-user", Shadow: true}}}, time.Millisecond)
	want := `
# HELP clerkgate_limits_total Requests counted against limits, by limit and result: passed, refused, or shadow where it would have been refused.
# TYPE clerkgate_limits_total counter
clerkgate_limits_total{adapter="envoy",limit="per-ip",result="passed"} 2
clerkgate_limits_total{adapter="envoy",limit="per-user",result="refused"} 1
clerkgate_limits_total{adapter="envoy",limit="per-user",result="shadow"} 1
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "clerkgate_limits_total"); err != nil {
		t.Error(err)
	}
}

func TestTimeIsObservedInSeconds(t *testing.T) {
	t.Parallel()
	o, registry := decisionsOf(t)
	o.observe(&policy.Decision{}, 70*time.Microsecond)
	families, err := registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	for _, family := range families {
		if family.GetName() != "clerkgate_decision_seconds" {
			continue
		}
		h := family.GetMetric()[0].GetHistogram()
		if h.GetSampleSum() != 70e-6 || h.GetBucket()[0].GetCumulativeCount() != 0 || h.GetBucket()[1].GetCumulativeCount() != 1 {
			t.Errorf("histogram %v, want one sample between 50 and 100 microseconds", h)
		}
		return
	}
	t.Error("no histogram")
}

func TestTwoAdaptersShareARegistryAndAReloadGoesOnCounting(t *testing.T) {
	t.Parallel()
	envoy, registry := decisionsOf(t)
	caddy, err := newDecisions(registry, "caddy")
	if err != nil {
		t.Fatal(err)
	}
	again, err := newDecisions(registry, "envoy")
	if err != nil {
		t.Fatal(err)
	}
	d := &policy.Decision{Rule: "r", Reason: policy.ReasonRoleMissing}
	envoy.observe(d, 0)
	again.observe(d, 0)
	caddy.observe(d, 0)
	if got := testutil.ToFloat64(envoy.total.WithLabelValues("r", "deny", "role-missing")); got != 2 {
		t.Errorf("envoy counted %v, want 2", got)
	}
	if got := testutil.ToFloat64(caddy.total.WithLabelValues("r", "deny", "role-missing")); got != 1 {
		t.Errorf("caddy counted %v, want 1", got)
	}
}

func TestAClashOfNamesIsAnError(t *testing.T) {
	t.Parallel()
	registry := prometheus.NewRegistry()
	registry.MustRegister(prometheus.NewGauge(prometheus.GaugeOpts{Name: "clerkgate_decisions_total", Help: "Somebody else's."}))
	if _, err := newDecisions(registry, "envoy"); err == nil {
		t.Error("no error")
	}
}

func TestSeriesAreBounded(t *testing.T) {
	t.Parallel()
	o, _ := decisionsOf(t)
	const beyond = 10
	for i := range maxSeries + beyond {
		o.observe(&policy.Decision{Rule: "rule-" + strconv.Itoa(i)}, 0)
	}
	if len(o.decisionCounters.children) != maxSeries {
		t.Errorf("%d series kept, want %d", len(o.decisionCounters.children), maxSeries)
	}
	if got := testutil.ToFloat64(o.total.WithLabelValues(other, "deny", "")); got != beyond {
		t.Errorf("counted %v under %q, want %d", got, other, beyond)
	}
}

func TestNilCountsNothing(t *testing.T) {
	t.Parallel()
	var o *decisions
	o.begin()
	o.observe(&policy.Decision{}, 0)
	o.end()
}

func TestCountingAllocatesNothing(t *testing.T) {
	o, _ := decisionsOf(t)
	d := &policy.Decision{Rule: "admin", Outcome: policy.Allow, Reason: policy.ReasonShadow, Shadow: &policy.Decision{Reason: policy.ReasonRoleMissing}}
	o.observe(d, 0)
	if n := testing.AllocsPerRun(100, func() { o.begin(); o.observe(d, time.Millisecond); o.end() }); n != 0 {
		t.Errorf("%v allocations, want none", n)
	}
}

func BenchmarkObserve(b *testing.B) {
	o, _ := decisionsOf(b)
	d := &policy.Decision{Rule: "admin", Outcome: policy.Allow, Reason: policy.ReasonAllowed}
	b.ReportAllocs()
	for b.Loop() {
		o.observe(d, time.Millisecond)
	}
}
