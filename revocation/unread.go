package revocation

import "sync"

// maxUnread bounds the entries of which it is known that the store took them and
// that they were not read back. Beyond, all that it lacks is told again.
const maxUnread = 4096

// unread are entries that the store took. One that is not found when the log is
// read to its end after that was lost with the store's memory, which nobody else may
// notice: not by what was read last.
type unread struct {
	mu   sync.Mutex
	list []aged
}

// add adds entries, or reports that there are too many.
func (u *unread) add(list []aged) bool {
	u.mu.Lock()
	defer u.mu.Unlock()
	if len(u.list)+len(list) > maxUnread {
		return false
	}
	u.list = append(u.list, list...)
	return true
}

// take takes all of them.
func (u *unread) take() []aged {
	u.mu.Lock()
	defer u.mu.Unlock()
	list := u.list
	u.list = nil
	return list
}

// expect has entries looked for that the store took before what is read next.
func (s *Service) expect() {
	f := &s.follower
	f.expected = append(f.expected, s.unread.take()...)
	if len(f.expected) > maxUnread {
		f.expected = nil
		s.untold.Store(true)
	}
}

// missExpected has the store told again where something expected is not there.
func (s *Service) missExpected() {
	if len(s.stillLacking(s.follower.expected)) > 0 {
		s.untold.Store(true)
	}
	s.follower.expected = nil
}
