package revocation

import "sync"

// Kin are the services of one process. What one of them is told of an instance, the
// others of that instance are told too, and one that joins knows what they do: a
// configuration that is loaded anew, with other bounds or another store, forgets
// nobody who has ended. The zero value has no members. It is safe for concurrent use.
type Kin struct {
	mu      sync.RWMutex
	members map[string]map[*Service]bool // by instance
}

// join makes a service a member, which knows from then on what the others do.
func (k *Kin) join(s *Service) {
	k.mu.Lock()
	defer k.mu.Unlock()
	instance := s.options.Instance
	for other := range k.members[instance] {
		s.inherit(other)
	}
	if k.members == nil {
		k.members = map[string]map[*Service]bool{}
	}
	if k.members[instance] == nil {
		k.members[instance] = map[*Service]bool{}
	}
	k.members[instance][s] = true
}

// leave ends a membership.
func (k *Kin) leave(s *Service) {
	k.mu.Lock()
	defer k.mu.Unlock()
	instance := s.options.Instance
	delete(k.members[instance], s)
	if len(k.members[instance]) == 0 {
		delete(k.members, instance)
	}
}

// tell tells the others what a member has taken in.
func (k *Kin) tell(from *Service, entries []aged) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for s := range k.members[from.options.Instance] {
		if s != from {
			s.hear(entries)
		}
	}
}

// hear takes in what another service of this process knows. The store does not have
// it yet, or it is another store.
func (s *Service) hear(entries []aged) {
	if len(entries) == 0 {
		return
	}
	s.take(s.steady(), entries, false)
	if s.log != nil {
		s.untold.Store(true)
	}
}

// inherit takes in all that another knows. Tokens too old for the other are stale
// here as well: what it has forgotten may have been about them.
func (s *Service) inherit(from *Service) {
	now := from.steady()
	raise(&s.everybody, from.everybody.Load())
	raise(&s.floor, from.floor.Load())
	if !from.anyAge.Load() {
		raise(&s.floor, now.Add(-from.lifetime).UnixMilli())
	}
	s.hear(from.list(now, false))
}
