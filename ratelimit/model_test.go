package ratelimit

import (
	"math/big"
	"math/rand/v2"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// admission is a request that passed.
type admission struct {
	at, cost int64
}

// model answers from the list of all that passed, as the package comment
// defines the two algorithms.
type model struct {
	quota  quota
	passed []admission
}

// room returns how many requests would pass at t.
func (m *model) room(t int64) int64 {
	if m.quota.kind == tokenBucket {
		return m.roomInBucket(t)
	}
	var cur, prev int64
	for _, a := range m.passed {
		switch t/m.quota.period - a.at/m.quota.period {
		case 0:
			cur += a.cost
		case 1:
			if m.quota.kind == slidingWindow {
				prev += a.cost
			}
		}
	}
	left := big.NewInt(m.quota.period - t%m.quota.period)
	weighted := left.Div(left.Mul(left, big.NewInt(prev)), big.NewInt(m.quota.period))
	return m.quota.capacity - cur - weighted.Int64()
}

// roomInBucket drains and fills a bucket that is measured in nanoseconds.
func (m *model) roomInBucket(t int64) int64 {
	depth := m.quota.capacity * m.quota.period
	content, last := depth, int64(0)
	for _, a := range append(m.passed[:len(m.passed):len(m.passed)], admission{at: t}) {
		content = min(depth, content+a.at-last) - a.cost*m.quota.period
		last = a.at
	}
	return content / m.quota.period
}

// verify compares one answer with the model, and counts it.
func (m *model) verify(t testing.TB, at, cost int64, got policy.LimitResult) {
	t.Helper()
	room := m.room(at)
	if want := cost <= room; got.Allowed != want {
		t.Fatalf("at %d, cost %d: allowed %t, want %t with room for %d", at, cost, got.Allowed, want, room)
	}
	if got.Allowed {
		m.passed = append(m.passed, admission{at, cost})
		room = m.room(at)
	}
	if want := max(0, room); int64(got.Remaining) != want {
		t.Fatalf("at %d, cost %d: remaining %d, want %d", at, cost, got.Remaining, want)
	}
	m.verifyRetry(t, at, cost, got)
	whole := model{quota: m.quota, passed: m.passed}
	if reset := at + int64(got.Reset); m.quota.kind == tokenBucket && whole.room(reset) != m.quota.capacity {
		t.Fatalf("at %d: the bucket is not full at the reset %d", at, reset)
	} else if m.quota.kind != tokenBucket && (reset%m.quota.period != 0 || got.Reset < 1 || int64(got.Reset) > m.quota.period) {
		t.Fatalf("at %d: the reset %d is not the end of the window", at, reset)
	}
}

// verifyRetry holds that a request of that cost passes after RetryAfter and not
// a nanosecond earlier.
func (m *model) verifyRetry(t testing.TB, at, cost int64, got policy.LimitResult) {
	t.Helper()
	retry := at + int64(got.RetryAfter)
	switch {
	case cost > m.quota.capacity:
		if got.RetryAfter != 0 {
			t.Fatalf("at %d: retry after %v what never passes", at, got.RetryAfter)
		}
	case m.room(retry) < cost:
		t.Fatalf("at %d, cost %d: refused after the wait of %v", at, cost, got.RetryAfter)
	case got.RetryAfter != 0 && m.room(retry-1) >= cost:
		t.Fatalf("at %d, cost %d: passes before the wait of %v is over", at, cost, got.RetryAfter)
	}
}

// verifyBounds holds what the package comment promises of every interval.
func (m *model) verifyBounds(t testing.TB) {
	t.Helper()
	for i, first := range m.passed {
		sum := int64(0)
		for _, last := range m.passed[i:] {
			sum += last.cost
			d := last.at - first.at
			bound := m.quota.capacity + d/m.quota.period
			if m.quota.kind != tokenBucket {
				bound = (d/m.quota.period + 2) * m.quota.capacity
			}
			if sum > bound {
				t.Fatalf("%d passed within %d ns, want no more than %d", sum, d, bound)
			}
		}
	}
}

// play sends requests that data describes, three bytes each, to a limiter and
// to the model: how much time passed in units of a 16th of the period, or
// nanoseconds; which key; and the cost.
func play(t testing.TB, q policy.Quota, data []byte) {
	t.Helper()
	m := NewMemory(Options{})
	var models [4]model
	for i := range models {
		var err error
		if models[i].quota, err = newQuota(&policy.LimitCheck{Quota: q, Cost: 1}); err != nil {
			t.Fatal(err)
		}
	}
	period := models[0].quota.period
	at := start.UnixNano()
	for len(data) >= 3 && at < maxTime-4*maxDepth/16 {
		if step := int64(data[0]); step < 128 {
			at += step >> 3 * max(1, period/16)
		} else {
			at += step & 7
		}
		key, cost := data[1]%4, int(data[2]%16)+1
		got := take(t, m, time.Unix(0, at), string(key), q, cost)
		models[key].verify(t, at, int64(cost), got)
		data = data[3:]
	}
	for i := range models {
		models[i].verifyBounds(t)
	}
}

func TestMemoryAgreesWithTheModel(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	for range 400 {
		limit, window := 1+random.IntN(60), time.Duration(1+random.Int64N(1<<random.IntN(40)))
		q := sliding(limit, window)
		switch random.IntN(3) {
		case 0:
			q = bucket(limit, window, random.IntN(60))
		case 1:
			q = fixed(limit, window)
		}
		data := make([]byte, 3*200)
		for i := range data {
			data[i] = byte(random.Uint32())
		}
		play(t, q, data)
	}
}

// FuzzTake holds that every answer is the model's, that the bounds of the
// package comment hold, and that a quota that makes no sense is refused.
func FuzzTake(f *testing.F) {
	f.Add(true, 10, int64(10*time.Second), 20, []byte("abcdefghijklmnopqrstuvwxyz"))
	f.Add(false, 10, int64(10*time.Second), 0, []byte("aaabbbccc\xff\xff\xff\x80\x80\x80"))
	f.Add(false, 1<<40, int64(3), 0, []byte("aaaaaaaaa"))
	f.Add(true, 1<<62, int64(1), 1<<62, []byte("aaaaaaaaa"))
	f.Add(true, 1, int64(maxWindow), 1<<40, []byte("aaaaaaaaa"))
	f.Add(true, -1, int64(-1), -1, []byte("aaa"))
	f.Fuzz(func(t *testing.T, isBucket bool, limit int, window int64, burst int, data []byte) {
		q := sliding(limit, time.Duration(window))
		if isBucket {
			q = bucket(limit, time.Duration(window), burst)
		}
		check := policy.LimitCheck{Quota: q, Cost: 1}
		_, invalid := newQuota(&check)
		if invalid == nil && limit > 0 {
			play(t, q, data[:min(len(data), 600)])
			return
		}
		results := []policy.LimitResult{{Allowed: true}}
		err := NewMemory(Options{}).Take(t.Context(), start, []policy.LimitCheck{check}, results)
		if results[0].Allowed || (err == nil) != (invalid == nil) {
			t.Fatalf("%+v: allowed %t, error %v", q, results[0].Allowed, err)
		}
	})
}

// FuzzTable holds that a small table keeps its parts in step, whatever the keys,
// quotas and times, and that no answer leaves its range.
func FuzzTable(f *testing.F) {
	f.Add([]byte("abcdefghijklmnopqrstuvwxyzabcdefghijklmnopqrstuvwxyz"), int64(0))
	f.Add([]byte("\x00\xff\x00\xff\x01\xfe\x7f\x80aaaaaaaaaaaaaa"), int64(-1<<62))
	f.Add([]byte("zyxwvutsrqponmlkjihgfedcba"), int64(1<<62))
	quotas := []policy.Quota{
		sliding(2, time.Second), sliding(3, time.Minute), sliding(1, maxWindow), sliding(1<<40, 7),
		bucket(2, time.Second, 3), bucket(7, time.Minute, 0), bucket(1, maxWindow, 9), bucket(1<<40, 7, 1<<40),
		fixed(2, time.Second), fixed(3, time.Minute), fixed(1<<40, 7),
	}
	f.Fuzz(func(t *testing.T, data []byte, base int64) {
		m := NewMemory(Options{MaxKeys: 5, Shards: 1})
		for len(data) >= 3 {
			now := time.Unix(base, 0).Add(time.Duration(int8(data[0])) << (data[1] >> 3 << 1))
			q := quotas[int(data[2])%len(quotas)]
			got := take(t, m, now, string('a'+data[1]%8), q, int(data[2]>>3)%4+1)
			if got.Remaining < 0 || got.Reset < 0 || got.RetryAfter < 0 || got.Allowed && got.Remaining >= max(q.Limit, q.Burst) {
				t.Fatalf("%+v at %v: %+v", q, now, got)
			}
			if most := max(2*q.Window, q.Window/time.Duration(q.Limit)*time.Duration(q.Burst)); got.RetryAfter > most {
				t.Fatalf("%+v at %v: retry after %v, want no more than %v", q, now, got.RetryAfter, most)
			}
			m.shards[0].check(t)
			data = data[3:]
		}
	})
}
