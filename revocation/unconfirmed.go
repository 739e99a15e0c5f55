package revocation

import "sync"

// maxUnconfirmed bounds the unconfirmed entries. Beyond that, all entries that the store
// may lack are written again.
const maxUnconfirmed = 4096

// unconfirmed are entries that the store accepted and that were not read back yet. One
// that is not in the log when it is read to its end was lost with the store's memory,
// which the cursor alone may not show.
type unconfirmed struct {
	mu   sync.Mutex
	list []agedEntry
}

// add adds entries, or returns false if there are too many.
func (u *unconfirmed) add(list []agedEntry) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list)+len(list) > maxUnconfirmed {
		return false
	}
	u.list = append(u.list, list...)
	return true
}

// take removes and returns all of them.
func (u *unconfirmed) take() []agedEntry {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.list
	u.list = nil
	return list
}

// expectUnconfirmed moves the unconfirmed entries to those that the next reads must find.
func (s *Service) expectUnconfirmed() {
	f := &s.follower
	f.expected = append(f.expected, s.unconfirmed.take()...)
	if len(f.expected) > maxUnconfirmed {
		f.expected = nil
		s.unsynced.Store(true)
	}
}

// checkExpected has entries written again if an expected one was not read.
func (s *Service) checkExpected() {
	if len(s.stillNotStored(s.follower.expected)) > 0 {
		s.unsynced.Store(true)
	}
	s.follower.expected = nil
}
