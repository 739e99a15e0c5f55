package clerktest

import (
	"crypto/rand"
	"time"
)

// How long something handed out waits to be redeemed, and how many may wait.
const (
	handedLifetime = time.Minute
	maxHanded      = 1024
)

// handed are things given out under a name that nobody guesses, and given away
// once. The caller holds the instance's lock.
type handed[T any] struct {
	now   func() time.Time
	names []string // oldest first
	by    map[string]waiting[T]
}

type waiting[T any] struct {
	thing T
	until time.Time
}

// put returns the name under which take gives the thing away.
func (h *handed[T]) put(thing T) string {
	if h.by == nil {
		h.by = map[string]waiting[T]{}
	}
	name := rand.Text()
	h.by[name] = waiting[T]{thing, h.now().Add(handedLifetime)}
	h.names = append(h.names, name)
	if len(h.names) > maxHanded {
		delete(h.by, h.names[0])
		h.names = h.names[1:]
	}
	return name
}

// take gives a thing away, unless it is gone or too old.
func (h *handed[T]) take(name string) (T, bool) {
	w, ok := h.by[name]
	delete(h.by, name)
	if !ok || h.now().After(w.until) {
		var none T
		return none, false
	}
	return w.thing, true
}
