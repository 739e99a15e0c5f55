package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// Show tells what check would be told, without counting it. What instances hold
// in slices counts as used.
func (r *Redis) Show(ctx context.Context, check policy.LimitCheck) (policy.LimitResult, error) {
	q, err := r.quotaOf(&check)
	if err != nil {
		return policy.LimitResult{}, err
	}
	key, bucket := storeKey(r.prefix, id{check.Name, check.Key})
	c := &call{requests: []request{newRequest(key, &q, 0, 0, time.Now().UnixNano())}}
	if err := r.lanes[bucket%len(r.lanes)].do(ctx, c, r.budget.length); err != nil {
		return policy.LimitResult{}, fmt.Errorf("ratelimit: limit %q: %w", check.Name, err)
	}
	heard := c.requests[0].counter
	a := heard.peek(q, 0, int64(check.Cost))
	var result policy.LimitResult
	a.write(&result, &check, &q)
	return result, nil
}

// Reset forgets everything counted against the key of check, in the store and
// here. Other instances that remember a refusal do so for five seconds more, and
// may spend what they hold in slices.
func (r *Redis) Reset(ctx context.Context, check policy.LimitCheck) error {
	if _, err := r.quotaOf(&check); err != nil {
		return err
	}
	id := id{check.Name, check.Key}
	key, _ := storeKey(r.prefix, id)
	r.known.reset(id)
	r.fallback.reset(id)
	if err := r.client.Del(ctx, key).Err(); err != nil {
		return fmt.Errorf("ratelimit: limit %q: resetting: %w", check.Name, err)
	}
	return nil
}

// quotaOf returns the quota by which the store counts check.
func (r *Redis) quotaOf(check *policy.LimitCheck) (quota, error) {
	q, err := newQuota(check)
	switch {
	case err != nil:
		return quota{}, fmt.Errorf("ratelimit: %w", err)
	case q.capacity == 0:
		return quota{}, errors.New("ratelimit: a limit of nothing counts nothing")
	case check.Consistency == policy.Leased:
		q.lease()
	}
	return q, nil
}

func (k *known) reset(id id) {
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.facts, id)
}

// reset forgets a key.
func (m *Memory) reset(id id) {
	hash := id.hash(m.seed)
	s := &m.shards[hash>>m.shift]
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot := s.find(id, hash); slot != none {
		s.remove(slot)
	}
}
