package service

import (
	"cmp"
	"context"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
)

const (
	watchInterval = time.Second            // where none is given
	leastInterval = 100 * time.Millisecond // between two looks, whatever is given
	settleTime    = time.Second            // the longest pause before a change is looked at again
	// missingLooks is how often a file must be found unreadable before that counts:
	// whoever replaces it may have taken away the old one first.
	missingLooks = 5
)

// Watch reloads the document, as [Service.Reload] does, when its content changes or that
// of a file to which it refers, until ctx ends. It looks every so often; the default
// for 0 is a second. What it finds counts when it is found again, after a second at
// most, so that a document that is being written is not read by half; a file that
// cannot be read, when it is found five times.
//
// Each content is tried once: a document that is not valid is logged once.
func (s *Service) Watch(ctx context.Context, every time.Duration) {
	// The content is read and compared, where notifications of the file system would tell
	// sooner: these do not come for network file systems and some mounts, and follow
	// neither a link that is exchanged (as Kubernetes does for a ConfigMap) nor a
	// file that is renamed into place, unless all folders on the way are watched. A
	// few files of at most 1 MiB, once a second, cost next to nothing; pipes and devices
	// are not opened.
	every = max(cmp.Or(every, watchInterval), leastInterval)
	var change change
	for !s.isClosed() {
		pause := every
		if change.found != nil {
			pause = min(every, settleTime)
		}
		select {
		case <-ctx.Done():
			return
		case <-time.After(pause):
		}
		if change.settles(s.changed()) {
			s.reloadIfChanged()
		}
	}
}

// change is a change of the files that may not be complete yet.
type change struct {
	found *setup.Reading // nil for none
	looks int            // in a row that found it
}

// settles takes what a look has found, nil for no change, and reports whether it is
// complete. Then the next one counts anew.
func (c *change) settles(found *setup.Reading) bool {
	if found == nil {
		*c = change{}
		return false
	}
	if c.found == nil || !found.Equal(c.found) {
		*c = change{found: found}
	}
	c.looks++
	if c.looks < 2 || !found.Complete() && c.looks < missingLooks {
		return false
	}
	*c = change{}
	return true
}

func (s *Service) isClosed() bool {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.closed
}

// changed reads the files of the document. It returns nil if they are as they were when
// they were loaded, well or not.
func (s *Service) changed() *setup.Reading {
	last := s.last.Load()
	if last == nil {
		return nil
	}
	if now := last.read.Again(); !now.Equal(last.read) {
		return now
	}
	return nil
}

// reloadIfChanged reloads, unless somebody else has meanwhile.
func (s *Service) reloadIfChanged() {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	if s.changed() != nil {
		_ = s.reload() // which logs it
	}
}
