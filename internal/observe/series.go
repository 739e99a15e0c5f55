package observe

import (
	"sync"

	"github.com/prometheus/client_golang/prometheus"
)

// maxSeries bounds the label combinations of one metric, over all reloads of a policy.
// Names beyond that count under "other".
const (
	maxSeries = 4096
	other     = "other"
)

// series caches the counters of a metric by their labels, so that counting allocates
// nothing. The zero value is empty.
type series[K comparable] struct {
	mu       sync.RWMutex
	children map[K]prometheus.Counter // guarded by mu
}

// counter returns the counter of a key, which child makes if there is none; full says
// that it must be that of "other".
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
