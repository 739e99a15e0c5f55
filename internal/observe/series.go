package observe

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxSeries bounds the label combinations kept of one metric, over all reloads
// of a policy. Names beyond it count under "other".
const (
	maxSeries = 4096
	other     = "other"
)

// series keeps the children of a metric, so that counting allocates nothing. The
// zero value is empty.
type series[K comparable] struct {
	mu       sync.RWMutex
	children map[K]prometheus.Counter // guarded by mu
}

// counter returns the child of that key, and makes it where there is none. With
// full, there is no room for its name.
func (s *series[K]) counter(key K, child func(full bool) prometheus.Counter) prometheus.Counter {
	s.mu.RLock()
	counter, ok := s.children[key]
	s.mu.RUnlock()
	if ok {
		return counter
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.children) >= maxSeries {
		return child(true)
	}
	if s.children == nil {
		s.children = map[K]prometheus.Counter{}
	}
	counter = child(false)
	s.children[key] = counter
	return counter
}
