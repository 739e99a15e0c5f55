package ratelimit

import (
	"fmt"
	"testing"
	"time"
	"unsafe"

	"github.com/clerkgate/clerkgate/policy"
)

var steppedQuotas = map[string]policy.Quota{
	"sliding window": sliding(10, 10*time.Second),
	"token bucket":   bucket(10, 10*time.Second, 10),
}

// steps are what F-23 does to a wall clock, and worse.
var steps = []time.Duration{
	time.Second, -2 * time.Second, 10 * time.Minute, -10 * time.Minute, 24 * time.Hour, -24 * time.Hour,
	time.Unix(0, 0).Sub(start), time.Unix(-1e9, 0).Sub(start),
}

// With a monotonic reading, as time.Now has it, the clock on the wall does not
// matter, there and back.
func TestSteppingTheClockChangesNothing(t *testing.T) {
	t.Parallel()
	for name, q := range steppedQuotas {
		for _, step := range steps {
			t.Run(fmt.Sprint(name, step), func(t *testing.T) {
				t.Parallel()
				stepped, steady := NewMemory(Options{}), NewMemory(Options{})
				first := time.Now()
				for i := range 300 {
					now := first.Add(ms(100 * i))
					seen := now
					if i%100 >= 50 {
						seen = stepWall(t, now, step)
					}
					got, want := take(t, stepped, seen, "k", q, 1), take(t, steady, now, "k", q, 1)
					if got != want {
						t.Fatalf("request %d: %+v, want %+v", i, got, want)
					}
				}
			})
		}
	}
}

// Without one, a clock that is set back frees nobody and makes nobody wait for
// it to come back.
func TestSettingTheClockBackKeepsTheCounts(t *testing.T) {
	t.Parallel()
	for name, q := range steppedQuotas {
		for _, step := range steps {
			if step > 0 {
				continue
			}
			t.Run(fmt.Sprint(name, step), func(t *testing.T) {
				t.Parallel()
				m := NewMemory(Options{})
				now := start.Add(3 * time.Second)
				before := take(t, m, now, "k", q, 10)
				refused := take(t, m, now.Add(step), "k", q, 1)
				if refused.Allowed || refused.RetryAfter > before.RetryAfter || refused.RetryAfter > q.Window {
					t.Errorf("after the step: %+v, want a refusal with the wait of before", refused)
				}
				if take(t, m, now.Add(step+refused.RetryAfter-1), "k", q, 1).Allowed {
					t.Error("passed before the wait was over")
				}
				if !take(t, m, now.Add(step+refused.RetryAfter), "k", q, 1).Allowed {
					t.Error("refused after the wait")
				}
			})
		}
	}
}

// A clock that goes back and forth in one place lets no more pass than one
// that stands still.
func TestLateCallsFreeNobody(t *testing.T) {
	t.Parallel()
	for name, q := range steppedQuotas {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			edge := start.Add(q.Window)
			for _, late := range []time.Duration{1, time.Microsecond, time.Millisecond, 500 * time.Millisecond, time.Second} {
				m := NewMemory(Options{})
				allowed := 0
				for i := range 1000 {
					if take(t, m, edge.Add(-late*time.Duration(i%2)), "k", q, 1).Allowed {
						allowed++
					}
				}
				if allowed != q.Limit {
					t.Errorf("late by %v: %d passed, want %d", late, allowed, q.Limit)
				}
			}
		})
	}
}

// Requests that wait long for something else come late by more than a window.
func TestLateCallsWithAMonotonicReadingFreeNobody(t *testing.T) {
	t.Parallel()
	q := sliding(3, time.Second)
	m := NewMemory(Options{})
	now, allowed := time.Now(), 0
	for i := range 1000 {
		if take(t, m, now.Add(-time.Duration(i%20)*time.Second), "k", q, 1).Allowed {
			allowed++
		}
	}
	if allowed != q.Limit {
		t.Errorf("%d passed, want %d", allowed, q.Limit)
	}
}

func TestTimesFarAwayAreAnswered(t *testing.T) {
	t.Parallel()
	for name, q := range steppedQuotas {
		for _, year := range []int{-290_000_000_000, -1, 1, 1600, 1823, 1969, 1970, 2038, 2106, 2116, 2262, 9999, 290_000_000_000} {
			t.Run(fmt.Sprint(name, year), func(t *testing.T) {
				t.Parallel()
				m := NewMemory(Options{})
				now := time.Date(year, 12, 31, 23, 59, 59, 0, time.UTC)
				allowed := 0
				for range 20 {
					if take(t, m, now, "k", q, 1).Allowed {
						allowed++
					}
				}
				if allowed != q.Limit {
					t.Errorf("%d passed, want %d", allowed, q.Limit)
				}
				if year > 1823 && year < 2116 && !take(t, m, now.Add(2*q.Window), "k", q, q.Limit).Allowed {
					t.Error("not whole two windows later")
				}
			})
		}
	}
}

func TestPassageNeverGoesBackOrOverflows(t *testing.T) {
	t.Parallel()
	var p monotonic
	last := int64(0)
	for i, at := range []int64{0, maxTime, -maxTime, maxTime, 5, -maxTime, 0, maxTime} {
		if now := p.advance(at, i%3 == 2); now < last || now > maxTime {
			t.Errorf("call %d at %d: the time is %d after %d", i, at, now, last)
		}
		last = p.now
	}
}

// stepWall returns t as it reads after the clock on the wall was set by step:
// the monotonic reading is the same, the date is another. Package time makes no
// such value out of another, so this writes the wall seconds, 33 bits from bit 30
// of the first word, as time.Now would.
func stepWall(t *testing.T, now time.Time, step time.Duration) time.Time {
	t.Helper()
	stepped := now
	wall := (*uint64)(unsafe.Pointer(&stepped))
	const seconds = 1<<33 - 1
	s := int64(*wall>>30&seconds) + int64(step/time.Second)
	if s < 0 {
		s = 0
	}
	*wall = *wall&^(seconds<<30) | uint64(s)<<30
	if stepped.Sub(now) != 0 || stepped.Unix() == now.Unix() {
		t.Fatalf("the clock was not stepped: %v, %v", now, stepped)
	}
	return stepped
}
