package ratelimit

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// Show returns the result that check would have for an instance, without counting it.
// What processes hold in leased slices counts as used. It returns an error if check is
// invalid or the store does not answer within the budget.
func (r *Redis) Show(ctx context.Context, instance string, check policy.LimitCheck) (policy.LimitResult, error) {
	id, err := idOfCheck(instance, &check)
	if err != nil {
		return policy.LimitResult{}, err
	}
	key, bucket := storeKey(r.prefix, &id)
	c := &call{requests: []request{newRequest(key, &id, 0, 0, time.Now().UnixNano())}}
	if err := r.batchers[bucket%len(r.batchers)].do(ctx, c, r.budget); err != nil {
		return policy.LimitResult{}, fmt.Errorf("ratelimit: limit %q: %w", check.Name, err)
	}
	observed := c.requests[0].counter
	a := observed.peek(&id.quota, 0, int64(check.Cost))
	var result policy.LimitResult
	a.write(&result, &check, &id.quota)
	return result, nil
}

// Reset deletes the counts of an instance for the key and the quota of check, in the
// store and in this process. Other processes may deny the key for up to five seconds
// more, and may spend what they hold in leased slices.
func (r *Redis) Reset(ctx context.Context, instance string, check policy.LimitCheck) error {
	id, err := idOfCheck(instance, &check)
	if err != nil {
		return err
	}
	key, _ := storeKey(r.prefix, &id)
	r.replica.reset(&id)
	r.fallback.reset(&id)
	if err := r.client.Del(ctx, key).Err(); err != nil {
		return fmt.Errorf("ratelimit: limit %q: resetting: %w", check.Name, err)
	}
	return nil
}

// idOfCheck returns the id by which the store counts check.
func idOfCheck(instance string, check *policy.LimitCheck) (id, error) {
	q, err := newQuota(check)
	switch {
	case err != nil:
		return id{}, fmt.Errorf("ratelimit: %w", err)
	case q.capacity == 0:
		return id{}, errors.New("ratelimit: the quota of the limit is not positive")
	case check.Consistency == policy.Leased:
		q.lease()
	}
	return newID(namespaceOf(instance), check, &q), nil
}

func (r *replica) reset(id *id) {
	s := r.shard(id)
	s.mu.Lock()
	defer s.mu.Unlock()
	delete(s.keys, *id)
}

// reset removes a key.
func (m *Memory) reset(id *id) {
	hash := id.hash(m.seed)
	s := &m.shards[hash>>m.shift]
	s.mu.Lock()
	defer s.mu.Unlock()
	if slot := s.find(id.namespace, id.name, id.key, &id.quota, hash); slot != none {
		s.remove(slot)
	}
}
