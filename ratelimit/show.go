package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// Show tells what check would be told of an instance's counts, without counting
// it. What processes hold in slices counts as used.
func (r *Redis) Show(ctx context.Context, instance string, check policy.LimitCheck) (policy.LimitResult, error) {
	id, err := identify(instance, &check)
	if err != nil {
		return policy.LimitResult{}, err
	}
	key, bucket := storeKey(r.prefix, &id)
	c := &call{requests: []request{newRequest(key, &id, 0, 0, time.Now().UnixNano())}}
	if err := r.lanes[bucket%len(r.lanes)].do(ctx, c, r.budget); err != nil {
		return policy.LimitResult{}, fmt.Errorf("ratelimit: limit %q: %w", check.Name, err)
	}
	heard := c.requests[0].counter
	a := heard.peek(&id.quota, 0, int64(check.Cost))
	var result policy.LimitResult
	a.write(&result, &check, &id.quota)
	return result, nil
}

// Reset forgets everything that an instance counted against the key and the quota
// of check, in the store and here. Other processes that remember a refusal do so
// for five seconds more, and may spend what they hold in slices.
func (r *Redis) Reset(ctx context.Context, instance string, check policy.LimitCheck) error {
	id, err := identify(instance, &check)
	if err != nil {
		return err
	}
	key, _ := storeKey(r.prefix, &id)
	r.known.reset(&id)
	r.fallback.reset(&id)
	if err := r.client.Del(ctx, key).Err(); err != nil {
		return fmt.Errorf("ratelimit: limit %q: resetting: %w", check.Name, err)
	}
	return nil
}

// identify returns what the store counts check as.
func identify(instance string, check *policy.LimitCheck) (id, error) {
	q, err := newQuota(check)
	switch {
	case err != nil:
		return id{}, fmt.Errorf("ratelimit: %w", err)
	case q.capacity == 0:
		return id{}, errors.New("ratelimit: a limit of nothing counts nothing")
	case check.Consistency == policy.Leased:
		q.lease()
	}
	return newID(realmOf(instance), check, &q), nil
}

func (k *known) reset(id *id) {
	s := k.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.facts, *id)
}

// reset forgets a key.
func (m *Memory) reset(id *id) {
	hash := id.hash(m.seed)
	s := &m.shards[hash>>m.shift]
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot := s.find(id.realm, id.name, id.key, &id.quota, hash); slot != none {
		s.remove(slot)
	}
}
