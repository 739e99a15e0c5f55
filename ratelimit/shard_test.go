package ratelimit

import (
	"fmt"
	"math/rand/v2"
	"runtime"
	"strconv"
	"strings"
	"testing"
	"time"
	"unsafe"

	"github.com/clerkgate/clerkgate/policy"
)

func TestForgettingPrefersWhoHasQuotaLeft(t *testing.T) {
	t.Parallel()
	const keys = 100
	m := NewMemory(Options{MaxKeys: keys, Shards: 1})
	once, often := sliding(1, time.Minute), sliding(10, time.Hour)

	// All but one slot go to keys that have run out of quota.
	for i := range keys - 1 {
		take(t, m, start, fmt.Sprint("limited", i), once, 1)
	}
	for i := range 10 * keys {
		take(t, m, start, fmt.Sprint("flood", i), often, 1)
	}
	for i := range keys - 1 {
		if take(t, m, start, fmt.Sprint("limited", i), once, 1).Allowed {
			t.Errorf("key %d passed again while others could be forgotten", i)
		}
	}

	// Where all have run out, the soonest free goes.
	take(t, m, start, "short", sliding(1, time.Second), 1)
	take(t, m, start, "new", often, 1)
	if !take(t, m, start, "short", sliding(1, time.Second), 1).Allowed {
		t.Error("the key that was soonest free was kept")
	}
	for i := range keys - 1 {
		if take(t, m, start, fmt.Sprint("limited", i), once, 1).Allowed {
			t.Errorf("key %d was forgotten before one that was sooner free", i)
		}
	}
}

func TestForgettingTakesTheLongestIdle(t *testing.T) {
	t.Parallel()
	m := NewMemory(Options{MaxKeys: 3, Shards: 1})
	q := sliding(10, time.Hour)
	for _, key := range []string{"a", "b", "c", "a", "d", "a"} {
		take(t, m, start, key, q, 1)
	}
	for _, tt := range []struct {
		key       string
		remaining int
	}{{"a", 6}, {"c", 8}, {"d", 8}, {"b", 9}} {
		if got := take(t, m, start, tt.key, q, 1).Remaining; got != tt.remaining {
			t.Errorf("key %q: remaining %d, want %d", tt.key, got, tt.remaining)
		}
	}
}

func TestKeysThatAreWholeAgainAreForgotten(t *testing.T) {
	t.Parallel()
	for name, q := range map[string]policy.Quota{"sliding window": sliding(2, time.Second), "fixed window": fixed(2, time.Second), "token bucket": bucket(2, time.Second, 2)} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			m := NewMemory(Options{Shards: 1})
			for i := range 1000 {
				take(t, m, start, fmt.Sprint(i), q, 1+i%2)
			}
			for range 2000 {
				take(t, m, start.Add(3*time.Second), "other", q, 1)
			}
			s := &m.shards[0]
			if live := s.check(t); live != 1 {
				t.Errorf("%d keys are remembered, want 1", live)
			}
		})
	}
}

func TestLimitedKeepsTheSoonestFreeFirst(t *testing.T) {
	t.Parallel()
	random := rand.New(rand.NewPCG(1, 2))
	entries := make([]entry, 101)
	until := map[int32]int64{}
	var l limited
	for range 5000 {
		slot := 1 + random.Int32N(100)
		_, known := until[slot]
		switch {
		case !known:
			until[slot] = random.Int64N(1000)
			l.add(entries, slot, until[slot])
		case random.IntN(2) == 0:
			until[slot] = random.Int64N(1000)
			l.move(entries, slot, until[slot])
		default:
			delete(until, slot)
			l.remove(entries, slot)
		}
		if len(l) != len(until) {
			t.Fatalf("%d limited entries, want %d", len(l), len(until))
		}
		for slot, at := range until {
			if w := l[entries[slot].rank-1]; w.slot != slot || w.until != at || at < l[0].until {
				t.Fatalf("slot %d until %d is filed as %+v behind %+v", slot, at, w, l[0])
			}
		}
	}
}

// The key of a request may be a piece of all its headers.
func TestKeysAreCopied(t *testing.T) {
	t.Parallel()
	m := NewMemory(Options{Shards: 1})
	headers := strings.Repeat("x", 1<<16)
	key := headers[100:110]
	take(t, m, start, key, sliding(1, time.Second), 1)
	if kept := m.shards[0].entries[1].key; kept != key || unsafe.StringData(kept) == unsafe.StringData(key) {
		t.Error("the table keeps what the key was cut from")
	}
}

// A million keys, each new, must neither use memory without bound nor wash away
// a limit that has been reached.
func TestFloodOfKeysIsBounded(t *testing.T) {
	const flood = 1_000_000
	for name, q := range map[string]policy.Quota{
		"sliding window": sliding(10, time.Minute),
		"token bucket":   bucket(10, time.Minute, 10),
		"each limited":   sliding(1, time.Minute),
	} {
		t.Run(name, func(t *testing.T) {
			m := NewMemory(Options{})
			victim := sliding(3, time.Hour)
			take(t, m, start, "victim", victim, 3)
			before := heap()
			checks := []policy.LimitCheck{{Name: limitName, Quota: q, Cost: 1}}
			results := make([]policy.LimitResult, 1)
			for i := range flood {
				checks[0].Key = "user_2f8TnBrJ0kqPpXzW" + strconv.Itoa(flood+i)
				if err := m.Take(t.Context(), start.Add(time.Duration(i)*time.Microsecond), checks, results); err != nil {
					t.Fatal(err)
				}
			}
			after := heap()
			if take(t, m, start.Add(time.Second), "victim", victim, 1).Allowed {
				t.Error("a key over its limit was forgotten")
			}
			live := 0
			for i := range m.shards {
				live += m.shards[i].check(t)
			}
			if live > DefaultMaxKeys {
				t.Errorf("%d keys are remembered, want no more than %d", live, DefaultMaxKeys)
			}
			perKey := float64(after-before) / float64(live)
			t.Logf("%d keys, %.1f MiB, %.0f bytes per key", live, float64(after-before)/(1<<20), perKey)
			if perKey > 256 {
				t.Errorf("a key takes %.0f bytes, want no more than 256", perKey)
			}
		})
	}
}

// heap returns the bytes in use.
func heap() int64 {
	runtime.GC()
	var stats runtime.MemStats
	runtime.ReadMemStats(&stats)
	return int64(stats.HeapAlloc)
}

// check fails the test if the parts of the table disagree, and returns how many
// entries there are.
func (s *shard) check(t testing.TB) int {
	t.Helper()
	live, limited, free := 0, 0, 0
	for i := 1; i < len(s.entries); i++ {
		e := &s.entries[i]
		if e.quota.kind == 0 {
			continue
		}
		live++
		if slot := s.find(e.namespace, e.name, e.key, &e.quota, e.id.hash(s.seed)); slot != int32(i) {
			t.Errorf("the entry in slot %d is found in %d", i, slot)
		}
		if e.rank != 0 {
			limited++
			if s.limited[e.rank-1].slot != int32(i) {
				t.Errorf("the entry in slot %d is not at its rank %d", i, e.rank)
			}
		}
	}
	for i := s.free; i != none; i = s.entries[i].chain {
		free++
	}
	open := 0
	for i := s.oldest; i != none; i = s.entries[i].newer {
		open++
		if e := &s.entries[i]; e.newer == none && s.newest != i || e.newer != none && s.entries[e.newer].older != i {
			t.Errorf("the entry in slot %d is not linked both ways", i)
		}
	}
	for i := range s.limited {
		if i > 0 && s.limited[i].until < s.limited[(i-1)/2].until {
			t.Errorf("limited entry %d is free sooner than its parent", i)
		}
	}
	if limited != len(s.limited) || open != live-limited || live != int(s.held) || live > s.maxKeys || live+free != max(0, len(s.entries)-1) {
		t.Errorf("%d entries, %d counted, of at most %d: %d in the list, %d of %d limited in the heap, %d free of %d slots",
			live, s.held, s.maxKeys, open, len(s.limited), limited, free, len(s.entries))
	}
	return live
}
