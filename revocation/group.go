package revocation

import "sync"

// Group is the services of one process. The services of one Clerk instance share their
// revocations: a new entry of one is applied to the others, and a new service inherits
// the entries of the others. So reloading the configuration, with other bounds or
// another store, forgets no revocation. The zero value has no services. It is safe for
// concurrent use.
type Group struct {
	mu      sync.RWMutex
	members map[string]map[*Service]bool // by instance
}

// add adds a service, which inherits the entries of the others of its instance.
func (k *Group) add(s *Service) {
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

// remove removes a service.
func (k *Group) remove(s *Service) {
	k.mu.Lock()
	defer k.mu.Unlock()
	instance := s.options.Instance
	delete(k.members[instance], s)
	if len(k.members[instance]) == 0 {
		delete(k.members, instance)
	}
}

// share applies new entries of one service to the others of its instance.
func (k *Group) share(from *Service, entries []agedEntry) {
	k.mu.RLock()
	defer k.mu.RUnlock()
	for s := range k.members[from.options.Instance] {
		if s != from {
			s.applyUnsynced(entries)
		}
	}
}

// applyUnsynced applies entries of another service of this process. Its store may not
// have them yet, or be another one.
func (s *Service) applyUnsynced(entries []agedEntry) {
	if len(entries) == 0 {
		return
	}
	s.apply(s.steadyNow(), entries, false)
	if s.log != nil {
		s.unsynced.Store(true)
	}
}

// inherit applies all entries of another service. Tokens that are too old for the other
// are stale here as well: its entries about them may have expired.
func (s *Service) inherit(from *Service) {
	now := from.steadyNow()
	raise(&s.sessionsStaleUntil, from.sessionsStaleUntil.Load())
	raise(&s.allStaleUntil, from.allStaleUntil.Load())
	if !from.anyAge.Load() {
		raise(&s.allStaleUntil, now.Add(-from.lifetime).UnixMilli())
	}
	s.applyUnsynced(from.list(now, false))
}
