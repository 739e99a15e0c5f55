package policy

import (
	"net/netip"
	"slices"
)

// limit is a compiled Limit.
type limit struct {
	name  string
	quota Quota
	keys  []limitKey
	// early: the limit is taken before authentication.
	early bool
	// plans and roles replace the quota; roles without their prefix.
	plans, roles map[string]int
	cost         Cost
	consistency  Consistency
	onStoreError StoreErrorPolicy
	// exempt are the clients that are not counted.
	exempt []netip.Prefix
	// shadow: the limit counts, but refuses nobody.
	shadow bool
	// told: answers that pass carry the limit's state as well.
	told bool
}

// takeLimits counts the request against limits, all in one call.
func (e *evaluation) takeLimits(limits []*limit) Reason {
	if len(limits) == 0 {
		return ""
	}
	checks, taken := make([]LimitCheck, 0, len(limits)), make([]*limit, 0, len(limits))
	for _, l := range limits {
		if l.counts(&e.subject) {
			checks, taken = append(checks, l.check(&e.subject)), append(taken, l)
		}
	}
	if len(checks) == 0 {
		return ""
	}
	results := make([]LimitResult, len(checks))
	if err := e.policy.deps.Limiter.Take(e.ctx, e.now, checks, results); err != nil {
		e.cause = err
		return ReasonLimiterUnavailable
	}
	for i := range results {
		r, c := &results[i], &checks[i]
		r.Name, r.Limit, r.Window, r.Shadow, r.told = c.Name, c.Quota.Limit, c.Quota.Window, taken[i].shadow, taken[i].told
	}
	e.limits = append(e.limits, results...)
	if i := slices.IndexFunc(results, func(r LimitResult) bool { return !r.Allowed && !r.Shadow }); i >= 0 {
		e.refusedLimit = results[i].Name
		e.trace.add("limit", e.refusedLimit, "refused")
		return ReasonRateLimited
	}
	return ""
}

// counts reports whether the request is one that the limit counts.
func (l *limit) counts(s *subject) bool {
	return l.cost.of(s.request.Method) > 0 && !containsAddr(l.exempt, s.client.Addr)
}

// check asks for one request to be counted. A principal with a plan or a role
// that has a quota of its own gets the most generous of them.
func (l *limit) check(s *subject) LimitCheck {
	return l.checkOf(l.key(s), s.principal, l.cost.of(s.request.Method))
}

// checkOf asks for a cost to be counted against a key, by the quota of a
// principal.
func (l *limit) checkOf(key string, p *Principal, cost int) LimitCheck {
	quota := l.quota
	if own := l.quotaOf(p); own > 0 {
		quota.Burst = scaleBurst(quota, own)
		quota.Limit = own
	}
	return LimitCheck{Name: l.name, Key: key, Quota: quota, Cost: cost, Consistency: l.consistency, OnStoreError: l.onStoreError}
}

// quotaOf is the limit of a principal's plans and role, or 0.
func (l *limit) quotaOf(p *Principal) int {
	if p == nil {
		return 0
	}
	own := 0
	for plan, n := range l.plans {
		if n > own && hasEntitlement(p.Plans, plan) {
			own = n
		}
	}
	for role, n := range l.roles {
		if n > own && hasRole(p, role) {
			own = n
		}
	}
	return own
}

// scaleBurst keeps the burst in proportion to a plan's limit.
func scaleBurst(q Quota, limit int) int {
	return int(min(maxQuota, max(1, int64(q.Burst)*int64(limit)/max(1, int64(q.Limit)))))
}
