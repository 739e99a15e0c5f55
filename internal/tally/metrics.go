package tally

import (
	"errors"
	"fmt"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/ratelimit"
)

// families are all metrics of stores. Package observe counts the results of limits.
var families = []family[*totals]{
	{"clerkgate_limit_memory_keys", "Keys that this process counts in its own memory, over all limits.", gauge, nil,
		one(func(t *totals) float64 { return float64(t.keys()) })},

	{"clerkgate_limit_store_checks_total", "Checks of limits that are shared in Redis, by limit and by what answered: local, from what this process knew; store; or error, where the store did not answer.", counter, []string{"limit", "answer"},
		func(t *totals, put put) {
			for name, l := range t.limits.Limits {
				put(float64(l.Local), name, "local")
				put(float64(l.Answered), name, "store")
				put(float64(l.StoreErrors), name, "error")
			}
		}},
	{"clerkgate_limit_store_slices_total", "Slices of leased quotas that this process took.", counter, []string{"limit"},
		byLimit(func(l ratelimit.LimitStats) uint64 { return l.Leases })},
	{"clerkgate_limit_store_returned_total", "Requests of slices that this process gave back.", counter, []string{"limit"},
		byLimit(func(l ratelimit.LimitStats) uint64 { return l.Returned })},
	{"clerkgate_limit_store_calls_total", "Calls to the store of limits, each a round trip.", counter, nil,
		one(func(t *totals) float64 { return float64(t.limits.RoundTrips) })},
	{"clerkgate_limit_store_call_failures_total", "Calls to the store of limits that failed.", counter, nil,
		one(func(t *totals) float64 { return float64(t.limits.Failures) })},
	{"clerkgate_limit_store_requests_total", "Requests that the calls carried: checks, and parts of slices that were given back.", counter, nil,
		one(func(t *totals) float64 { return float64(t.limits.Requests) })},
	{"clerkgate_limit_store_breakers", "Breakers in front of the store of limits: one of a server, sixteen of a cluster.", gauge, nil,
		one(func(t *totals) float64 { return float64(t.limits.Breakers) })},
	{"clerkgate_limit_store_breakers_open", "Breakers that are open, so that the store is not asked.", gauge, nil,
		one(func(t *totals) float64 { return float64(t.limits.OpenBreakers) })},

	{"clerkgate_revocation_entries", "Subjects that have an entry: sessions, users, members, organizations and credentials.", gauge, nil,
		one(func(t *totals) float64 { return float64(t.entries()) })},
	{"clerkgate_revocation_received_total", "Entries that were read from the store.", counter, nil,
		one(func(t *totals) float64 { return float64(t.revocation.Received) })},
	{"clerkgate_revocation_revoked_total", "Entries that were made here, by webhooks and by people who signed out.", counter, nil,
		one(func(t *totals) float64 { return float64(t.revocation.Revoked) })},
	{"clerkgate_revocation_rewritten_total", "Entries that were written back to a store that had lost them.", counter, nil,
		one(func(t *totals) float64 { return float64(t.revocation.Rewritten) })},
	{"clerkgate_revocation_ignored_total", "What was read from the store and is no entry, or one that cannot be.", counter, nil,
		one(func(t *totals) float64 { return float64(t.revocation.Ignored) })},
	{"clerkgate_revocation_forgot_total", "How often the store had forgotten what it knew.", counter, nil,
		one(func(t *totals) float64 { return float64(t.revocation.Forgot) })},
	{"clerkgate_revocation_lifetimes_differ", "1 while another node of the instance has a longer max_token_lifetime.", gauge, nil,
		one(func(t *totals) float64 {
			if t.revocation.LifetimesDiffer {
				return 1
			}
			return 0
		})},
	{"clerkgate_revocation_failures_total", "Calls to the store of revocations that failed.", counter, nil,
		one(func(t *totals) float64 { return float64(t.revocation.Failures) })},
	{"clerkgate_revocation_store_away_seconds", "How long the store of revocations has not answered; 0 while it does.", gauge, nil,
		one(func(t *totals) float64 { return t.revocation.Away.Seconds() })},

	{"clerkgate_webhooks_total", "Deliveries of webhooks by result: taken, each once; refused, for what is not Clerk's; failed, for what could not be stored; or busy, for what came while too much was being read.", counter, []string{"result"},
		func(t *totals, put put) {
			w := t.revocation.Webhooks
			put(float64(w.Taken), "taken")
			put(float64(w.Refused), "refused")
			put(float64(w.Failed), "failed")
			put(float64(w.Busy), "busy")
		}},
}

// one collects a metric without labels.
func one(value func(*totals) float64) func(*totals, put) {
	return func(t *totals, put put) { put(value(t)) }
}

// byLimit collects a metric of each limit.
func byLimit(count func(ratelimit.LimitStats) uint64) func(*totals, put) {
	return func(t *totals, put put) {
		for name, l := range t.limits.Limits {
			put(float64(count(l)), name)
		}
	}
}

// Register registers the metrics of the tally, with the constant label adapter ("envoy",
// "caddy"). Registering again at the same registry has no effect.
func (t *Tally) Register(registry prometheus.Registerer, adapter string) error {
	err := registry.Register(newCollector(t, adapter, families, func(collect func(*totals)) { collect(t.read()) }))
	if already, ok := errors.AsType[prometheus.AlreadyRegisteredError](err); ok {
		if before, ok := already.ExistingCollector.(*collector[*totals]); ok && before.of == t {
			return nil
		}
	}
	if err != nil {
		return fmt.Errorf("registering the metrics of stores: %w", err)
	}
	return nil
}
