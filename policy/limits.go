package policy

import (
	"net/netip"
	"slices"
)

// limit is a compiled Limit.
type limit struct {
	name       string
	definition uint64
	quota      Quota
	keys       []limitKey
	// early: the limit is taken before authentication.
	early bool
	// plans and roles replace the quota; roles without their prefix.
	plans, roles map[string]int
	cost         Cost
	consistency  Consistency
	onStoreError StoreErrorPolicy
	// exempt are the clients that are not counted.
	exempt []netip.Prefix
	// shadow: the limit counts, but denies nothing.
	shadow bool
	// advertised: the responses of allowed requests have the limit's state as well.
	advertised bool
}

// takeLimits counts the request against the limits of one stage, all in one call:
// those of every rule that decides, and those that count besides. Each is counted
// once for each key.
func (e *evaluation) takeLimits(of func(*rule) []*limit) Reason {
	if !e.policy.limited {
		return ""
	}
	room := len(of(e.rule)) + len(e.also) + len(e.counted)
	if room == 0 {
		return ""
	}
	var few [4]taken
	t := taking{evaluation: e, taken: few[:0]}
	if room == 1 {
		one := new(single)
		t.checks, t.results = one.check[:0], one.result[:]
	} else {
		t.checks = make([]LimitCheck, 0, room)
	}
	reason := e.everyRule(func(r *rule) Reason { return t.add(r, of(r)) })
	for _, c := range e.counted {
		if reason == "" {
			reason = t.addCounted(c, of(c.rule))
		}
	}
	if reason != "" || len(t.checks) == 0 {
		return reason
	}
	return t.take()
}

// single is the room that a request takes that is counted once, as most are.
type single struct {
	check  [1]LimitCheck
	result [1]LimitResult
}

// taking gathers the limits to be taken.
type taking struct {
	*evaluation
	checks []LimitCheck
	// results is room for one result; nil for none.
	results []LimitResult
	// taken is what each check is made of.
	taken []taken
}

// taken is a limit, and a rule that names it.
type taken struct {
	limit *limit
	rule  *rule
}

// add adds limits of a rule, with the path parameters that are read for it.
func (t *taking) add(r *rule, limits []*limit) Reason {
	deciding := t.rule
	t.rule = r
	defer func() { t.rule = deciding }()
	for _, l := range limits {
		if !l.counts(&t.subject) {
			continue
		}
		check, reason := l.check(&t.subject)
		if reason != "" {
			return reason
		}
		if !slices.ContainsFunc(t.checks, func(c LimitCheck) bool { return c.Name == check.Name && c.Key == check.Key }) {
			t.checks, t.taken = append(t.checks, check), append(t.taken, taken{l, r})
		}
	}
	return ""
}

// addCounted adds limits of a rule that does not decide.
func (t *taking) addCounted(c counted, limits []*limit) Reason {
	if len(limits) == 0 {
		return ""
	}
	own := t.params
	defer func() { t.params = own }()
	var err error
	if t.params, _, err = c.rule.counting.paramsOf(c.path); err != nil {
		t.cause = err
		return ReasonMatchTimeout
	}
	return t.add(c.rule, limits)
}

func (t *taking) take() Reason {
	results := t.results
	if len(results) != len(t.checks) {
		results = make([]LimitResult, len(t.checks))
	}
	if err := t.policy.deps.Limiter.Take(t.ctx, t.now, t.checks, results); err != nil {
		t.cause = err
		return ReasonLimiterUnavailable
	}
	for i := range results {
		r, c, l := &results[i], &t.checks[i], t.taken[i].limit
		r.Name, r.Limit, r.Window, r.Shadow, r.advertised = c.Name, c.Quota.Limit, c.Quota.Window, l.shadow, l.advertised
	}
	if t.limits == nil {
		t.limits = results
	} else {
		t.limits = append(t.limits, results...)
	}
	if i := slices.IndexFunc(results, func(r LimitResult) bool { return !r.Allowed && !r.Shadow }); i >= 0 {
		t.exceeded, t.rule = results[i].Name, t.taken[i].rule
		t.trace.add("limit", t.exceeded, "refused")
		return ReasonRateLimited
	}
	return ""
}

// counts reports whether the request is one that the limit counts.
func (l *limit) counts(s *subject) bool {
	return l.cost.of(s.request.Method) > 0 && !containsAddr(l.exempt, s.client.Addr)
}

// check is one request to be counted. A principal with a plan or a role
// that has a quota of its own gets the most generous of them.
func (l *limit) check(s *subject) (LimitCheck, Reason) {
	key, reason := l.key(s)
	check := l.checkOf(key, s.principal, l.cost.of(s.request.Method))
	if l.named(s) {
		check.Strangers = networkOf(s.client)
	}
	return check, reason
}

// everywhere is the network of clients whose address is not known.
var everywhere = netip.PrefixFrom(netip.IPv6Unspecified(), 0)

// networkOf is the client's network, by which strangers are counted apart.
func networkOf(client ClientAddr) netip.Prefix {
	if network := client.Network(); network.IsValid() {
		return network
	}
	return everywhere
}

// checkOf is a cost to be counted against a key, by the quota of a
// principal.
func (l *limit) checkOf(key string, p *Principal, cost int) LimitCheck {
	quota := l.quota
	if own := l.quotaOf(p); own > 0 {
		quota = l.quotaFor(own)
	}
	return LimitCheck{Name: l.name, Definition: l.definition, Key: key, Quota: quota, Cost: cost, Consistency: l.consistency, OnStoreError: l.onStoreError}
}

// quotaFor is the quota with another limit.
func (l *limit) quotaFor(limit int) Quota {
	quota := l.quota
	if limit != quota.Limit {
		quota.Burst = scaleBurst(quota, limit)
		quota.Limit = limit
	}
	return quota
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
