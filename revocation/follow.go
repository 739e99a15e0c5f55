package revocation

import (
	"context"
	"slices"
	"time"
)

// follower is the position of a service in the log.
type follower struct {
	// cursor is the stream ID that was read last, or [beginning].
	cursor string
	// forgot: the store lost entries. What it lacks is written back after all that it has
	// was read.
	forgot bool
	// since is the time from which on this process knows all entries, by the store's
	// clock in Unix milliseconds.
	since int64
	// storeAhead is how far the store's clock was ahead of the steady one, in
	// milliseconds, at its first answer, or when it was last set.
	storeAhead     int64
	storeTimeKnown bool
	// warned: it was logged that the lifetimes of nodes differ.
	warned bool
	// expected are entries that the store accepted before those that are read next.
	expected []agedEntry
}

// beginning is the cursor before the first entry.
const beginning = "0"

// follow reads the store until ctx ends, also after errors.
func (s *Service) follow(ctx context.Context) {
	for warned := false; ctx.Err() == nil; {
		err := s.catchUp(ctx)
		if ctx.Err() != nil {
			return
		}
		s.storeErr.Store(&err)
		lost := s.phase.CompareAndSwap(current, cutOff)
		if lost || !warned && s.phase.Load() == starting {
			warned = true
			s.options.Logger.Warn("the store of revocations cannot be reached", "error", err)
		}
		s.phase.CompareAndSwap(catchingUp, cutOff)
		s.unsynced.Store(true) // the store may have lost entries that it had accepted
		s.counts.failures.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(s.options.times.retry):
		}
	}
}

// catchUp reads the log, writes back what the store lacks, and waits for new entries. It
// returns the error when the store does not answer.
func (s *Service) catchUp(ctx context.Context) error {
	for {
		s.expectUnconfirmed()
		p, err := s.readNext(ctx)
		if err != nil {
			return err
		}
		s.phase.CompareAndSwap(cutOff, catchingUp)
		if !p.intact || !p.end {
			continue
		}
		s.checkExpected()
		if err := s.atEnd(ctx, p); err != nil {
			return err
		}
		pause := s.options.times.read
		if s.phase.Load() == starting || s.unsynced.Load() {
			pause = s.options.times.retry
		}
		if err := s.log.await(ctx, s.follower.cursor, pause); err != nil {
			return err
		}
	}
}

// readNext reads and applies the next entries.
func (s *Service) readNext(ctx context.Context) (*page, error) {
	f := &s.follower
	since := int64(-1)
	if !f.forgot && s.phase.Load() == current {
		since = f.since
	}
	p, err := s.log.read(ctx, f.cursor, since)
	if err != nil {
		return nil, err
	}
	s.recordStatus(p)
	if !p.intact {
		s.restart(p)
		return p, nil
	}
	if s.clockWasSet() {
		s.restart(&page{})
		return &page{}, nil
	}
	latest := max(s.options.Now().UnixMilli(), p.now) + s.margin.Milliseconds()
	p.entries = slices.DeleteFunc(p.entries, func(e agedEntry) bool {
		_, ok := e.notAfter(latest)
		if !ok {
			p.ignored++
		}
		return !ok
	})
	for i := range p.entries {
		p.entries[i].Entry, _ = p.entries[i].notAfter(latest)
	}
	s.apply(s.steadyNow(), p.entries, true)
	s.counts.received.Add(uint64(len(p.entries)))
	s.counts.ignored.Add(p.ignored)
	f.cursor = p.cursor
	return p, nil
}

// clockWasSet reports whether the store's clock was set, so that entries may have expired
// there too early.
func (s *Service) clockWasSet() bool {
	f, ahead := &s.follower, s.storeAhead.Load()
	jump := time.Duration(ahead-f.storeAhead) * time.Millisecond
	if f.storeTimeKnown && max(jump, -jump) <= s.options.times.jump {
		return false
	}
	heard := f.storeTimeKnown
	f.storeTimeKnown, f.storeAhead = true, ahead
	if heard {
		s.options.Logger.Warn("the clock of the store of revocations was set", "by", jump.String())
	}
	return heard
}

// recordStatus records the clock and the retention of the store from an answer.
func (s *Service) recordStatus(p *page) {
	steady := s.steadyNow().UnixMilli()
	s.storeAhead.Store(p.now - steady)
	s.storeTimeKnown.Store(true)
	s.storeErr.Store(nil)
	s.lastContact.Store(s.options.Now().UnixMilli())
	s.lastContactSteady.Store(steady)
	s.compareClocks()
	// Keep entries as long as any node needs them: it may have to write them back.
	raise(&s.retention, p.keep.Milliseconds())
	own := s.log.keep
	s.lifetimesDiffer.Store(p.keep > own)
	if p.keep > own && !s.follower.warned {
		s.follower.warned = true
		s.options.Logger.Warn("another node of this instance has a longer max_token_lifetime; configure the same everywhere", "own", (own - s.margin).String(), "longest", (p.keep - s.margin).String())
	}
}

// restart reads the store from the beginning, since it no longer has the entry that was
// read last: that has expired, or the store has lost it.
func (s *Service) restart(p *page) {
	past := instantOf(s.follower.cursor) < p.now-p.keep.Milliseconds()
	s.follower.cursor = beginning
	if past {
		return
	}
	s.follower.forgot = true
	s.markNotStored()
	s.counts.forgot.Add(1)
	s.options.Logger.Warn("the store of revocations has lost its entries; they are written again", "entries", s.Len())
}

// atEnd is called when all entries of the store were read.
func (s *Service) atEnd(ctx context.Context, p *page) error {
	if s.follower.forgot || s.unsynced.Load() {
		switch known, err := s.writeBack(ctx); {
		case err != nil:
			return err
		case !known:
			return nil
		}
	}
	// A starting process waits for the nodes that are writing back what the store lost.
	if s.phase.Load() == starting && p.settling {
		return nil
	}
	if s.phase.Load() == starting {
		s.finishStart(p)
	}
	if s.phase.Swap(current) != current {
		s.options.Logger.Info("revocations are up to date", "entries", s.Len())
	}
	return nil
}

// finishStart is called when a starting process has read all entries. If no node knows
// whether the store has lost some, this process knows all entries from now on only: with
// Deny, tokens issued before are stale.
func (s *Service) finishStart(p *page) {
	since := p.since
	if since == -1 {
		since = p.now
	}
	s.follower.since = since
	if s.options.Deny && since > 0 {
		raise(&s.allStaleUntil, since)
		s.options.Logger.Warn("the store of revocations may have lost entries; tokens issued before are rejected", "before", time.UnixMilli(since).UTC())
	}
}

// writeBack writes the entries that the store lacks: those made here while it was
// unavailable, and those that it lost. It returns false if the store has meanwhile lost
// entries that were read.
func (s *Service) writeBack(ctx context.Context) (known bool, err error) {
	s.unsynced.Store(false)
	list := s.notStored(s.steadyNow())
	// Writing a million takes seconds: read new entries in between.
	for some := range slices.Chunk(list, readCount) {
		some = s.stillNotStored(some)
		if err := s.log.append(ctx, some, true); err != nil {
			// A store that is full can still be read. Try again later.
			s.unsynced.Store(true)
			s.counts.failures.Add(1)
			return true, nil
		}
		s.counts.rewritten.Add(uint64(len(some)))
		for end := false; !end; {
			p, err := s.readNext(ctx)
			if err != nil || !p.intact {
				s.unsynced.Store(true)
				return false, err
			}
			end = p.end
		}
	}
	s.follower.forgot = false
	return true, nil
}
