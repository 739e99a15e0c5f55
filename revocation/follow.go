package revocation

import (
	"context"
	"errors"
	"slices"
	"time"
)

// follow reads the store for as long as ctx lasts.
func (s *Service) follow(ctx context.Context) {
	cursor := "0"
	for warned := false; ctx.Err() == nil; {
		err := s.catchUp(ctx, &cursor)
		if ctx.Err() != nil {
			return
		}
		lost := s.phase.CompareAndSwap(current, cutOff)
		if lost || !warned && s.phase.Load() == starting {
			warned = true
			s.options.Logger.Warn("the store of revocations is out of reach", "error", err)
		}
		s.phase.CompareAndSwap(catchingUp, cutOff)
		s.failures.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(retryPause):
		}
	}
}

// errForgot: the store answers, and is empty.
var errForgot = errors.New("the store has forgotten what it knew")

// catchUp makes sure that the store still knows what it did, and reads on. It
// returns when the store does not answer, or has forgotten.
func (s *Service) catchUp(ctx context.Context, cursor *string) error {
	if err := s.restore(ctx, cursor); err != nil {
		return err
	}
	s.phase.CompareAndSwap(cutOff, catchingUp)
	for idle := false; ; {
		complete, err := s.complete(ctx, idle)
		if err != nil {
			return err
		}
		if idle, err = s.readOn(ctx, cursor, s.pause(idle, complete)); err != nil {
			return err
		}
		if idle && complete && s.phase.Swap(current) != current {
			s.options.Logger.Info("revocations are up to date", "entries", s.Len())
		}
	}
}

// readOn takes in what is new, and reports whether that was nothing: the end of
// the log.
func (s *Service) readOn(ctx context.Context, cursor *string, pause time.Duration) (idle bool, err error) {
	entries, next, err := s.log.read(ctx, *cursor, pause)
	if err != nil {
		return false, err
	}
	s.add(s.options.Now(), entries...)
	s.received.Add(uint64(len(entries)))
	s.contact.Store(s.options.Now().UnixMilli())
	idle = next == *cursor
	*cursor = next
	return idle, nil
}

// complete reports whether the end of the log will be all there is to know: who
// starts with nothing waits for those who are telling the store what it lost.
// When nothing is new it is time to see whether the store is still the same.
func (s *Service) complete(ctx context.Context, idle bool) (bool, error) {
	if s.phase.Load() == starting {
		return s.log.settled(ctx)
	}
	if !idle {
		return true, nil
	}
	epoch, err := s.log.epoch(ctx)
	if err == nil && epoch != s.epoch {
		err = errForgot
	}
	return err == nil, err
}

// pause is how long a read waits for news.
func (s *Service) pause(idle, complete bool) time.Duration {
	switch {
	case !idle:
		return 0
	case s.phase.Load() != starting:
		return readPause
	case complete:
		return 0
	}
	return retryPause
}

// restore writes what a store does not have: all of it, where it forgot
// everything, or else what was made while it was out of reach, and what it may
// have lost of the time before.
func (s *Service) restore(ctx context.Context, cursor *string) error {
	epoch, err := s.log.epoch(ctx)
	if err != nil {
		return err
	}
	var entries []Entry
	forgot := s.epoch != "" && s.epoch != epoch
	switch {
	case forgot:
		entries = s.all()
		*cursor = "0"
	case s.epoch == "": // nothing was read yet, so nothing was lost
		entries = s.since(always, 1)
	default:
		since := s.contact.Load() - recent.Milliseconds()
		entries = s.since(since, since)
	}
	for some := range slices.Chunk(entries, readCount) {
		if err := s.log.append(ctx, some, forgot); err != nil {
			return err
		}
		s.rewritten.Add(uint64(len(some)))
		// A million take seconds, and news do not wait so long.
		for idle := false; !idle; {
			if idle, err = s.readOn(ctx, cursor, 0); err != nil {
				return err
			}
		}
	}
	s.epoch = epoch
	return nil
}
