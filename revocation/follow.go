package revocation

import (
	"context"
	"slices"
	"time"
)

// follower is where a service is in the log.
type follower struct {
	// cursor is the id that was read last, or [beginning].
	cursor string
	// forgot: the store lost something, and is to be told what it lacks as soon as all
	// that it has was read.
	forgot bool
	// since is from when on everything there is to know is known here, by the store's
	// time in Unix milliseconds.
	since int64
	// ahead is how far the store's clock was ahead of the steady one, in milliseconds,
	// when it was first heard of, or last set.
	ahead int64
	heard bool
	// warned: the lifetimes of nodes differ.
	warned bool
	// expected are entries that the store took before what is read.
	expected []aged
}

// beginning is the cursor before the first entry.
const beginning = "0"

// follow reads the store for as long as ctx lasts.
func (s *Service) follow(ctx context.Context) {
	for warned := false; ctx.Err() == nil; {
		err := s.catchUp(ctx)
		if ctx.Err() != nil {
			return
		}
		lost := s.phase.CompareAndSwap(current, cutOff)
		if lost || !warned && s.phase.Load() == starting {
			warned = true
			s.options.Logger.Warn("the store of revocations is out of reach", "error", err)
		}
		s.phase.CompareAndSwap(catchingUp, cutOff)
		s.untold.Store(true) // it may have lost what it said it had
		s.counts.failures.Add(1)
		select {
		case <-ctx.Done():
		case <-time.After(s.options.times.retry):
		}
	}
}

// catchUp reads on, tells the store what it lacks, and waits for news. It returns
// when the store does not answer.
func (s *Service) catchUp(ctx context.Context) error {
	for {
		s.expect()
		p, err := s.readOn(ctx)
		if err != nil {
			return err
		}
		s.phase.CompareAndSwap(cutOff, catchingUp)
		if !p.known || !p.end {
			continue
		}
		s.missExpected()
		if err := s.atEnd(ctx, p); err != nil {
			return err
		}
		pause := s.options.times.read
		if s.phase.Load() == starting || s.untold.Load() {
			pause = s.options.times.retry
		}
		if err := s.log.await(ctx, s.follower.cursor, pause); err != nil {
			return err
		}
	}
}

// readOn takes in what is new.
func (s *Service) readOn(ctx context.Context) (*page, error) {
	f := &s.follower
	since := int64(-1)
	if !f.forgot && s.phase.Load() == current {
		since = f.since
	}
	p, err := s.log.read(ctx, f.cursor, since)
	if err != nil {
		return nil, err
	}
	s.answered(p)
	if !p.known {
		s.beginAnew(p)
		return p, nil
	}
	if s.wasSet() {
		s.beginAnew(&page{})
		return &page{}, nil
	}
	latest := max(s.options.Now().UnixMilli(), p.now) + s.margin.Milliseconds()
	p.entries = slices.DeleteFunc(p.entries, func(e aged) bool {
		_, ok := e.possible(latest)
		if !ok {
			p.ignored++
		}
		return !ok
	})
	for i := range p.entries {
		p.entries[i].Entry, _ = p.entries[i].possible(latest)
	}
	s.take(s.steady(), p.entries, true)
	s.counts.received.Add(uint64(len(p.entries)))
	s.counts.ignored.Add(p.ignored)
	f.cursor = p.cursor
	return p, nil
}

// wasSet reports whether the store's clock was set, so that entries may have left it
// too early.
func (s *Service) wasSet() bool {
	f, ahead := &s.follower, s.ahead.Load()
	jump := time.Duration(ahead-f.ahead) * time.Millisecond
	if f.heard && max(jump, -jump) <= s.options.times.jump {
		return false
	}
	heard := f.heard
	f.heard, f.ahead = true, ahead
	if heard {
		s.options.Logger.Warn("the clock of the store of revocations was set", "by", jump.String())
	}
	return heard
}

// answered keeps what the store says of itself.
func (s *Service) answered(p *page) {
	steady := s.steady().UnixMilli()
	s.ahead.Store(p.now - steady)
	s.heard.Store(true)
	s.contact.Store(s.options.Now().UnixMilli())
	s.contactSteady.Store(steady)
	s.compareClocks()
	// Who can be asked for everything keeps it for as long as anybody needs it.
	raise(&s.retention, p.keep.Milliseconds())
	own := s.log.keep
	s.differ.Store(p.keep > own)
	if p.keep > own && !s.follower.warned {
		s.follower.warned = true
		s.options.Logger.Warn("another node of this instance names a longer lifetime of tokens; name the same for all", "own", (own - s.margin).String(), "longest", (p.keep - s.margin).String())
	}
}

// beginAnew reads the store from the beginning. It lost what was read last: because
// that was past, or because it forgot it.
func (s *Service) beginAnew(p *page) {
	past := instantOf(s.follower.cursor) < p.now-p.keep.Milliseconds()
	s.follower.cursor = beginning
	if past {
		return
	}
	s.follower.forgot = true
	s.lost()
	s.counts.forgot.Add(1)
	s.options.Logger.Warn("the store of revocations has forgotten what it knew, and is told again", "entries", s.Len())
}

// atEnd is for when all that the store has was read.
func (s *Service) atEnd(ctx context.Context, p *page) error {
	if s.follower.forgot || s.untold.Load() {
		switch known, err := s.tell(ctx); {
		case err != nil:
			return err
		case !known:
			return nil
		}
	}
	// Who starts with nothing waits for those who are telling the store what it lost.
	if s.phase.Load() == starting && p.young {
		return nil
	}
	if s.phase.Load() == starting {
		s.begin(p)
	}
	if s.phase.Swap(current) != current {
		s.options.Logger.Info("revocations are up to date", "entries", s.Len())
	}
	return nil
}

// begin is for who has read all there is for the first time. Where nobody came who
// knows whether that is all, it is from now on: who is to deny takes no token of
// before.
func (s *Service) begin(p *page) {
	since := p.since
	if since == -1 {
		since = p.now
	}
	s.follower.since = since
	if s.options.Deny && since > 0 {
		raise(&s.floor, since)
		s.options.Logger.Warn("nobody knows what the store of revocations forgot before; tokens from before do not count", "before", time.UnixMilli(since).UTC())
	}
}

// tell writes what the store lacks: what was made here while it was out of reach,
// and what it forgot. It reports whether the store still knew all that was read.
func (s *Service) tell(ctx context.Context) (known bool, err error) {
	s.untold.Store(false)
	list := s.lacking(s.steady())
	// A million take seconds, and news do not wait so long.
	for some := range slices.Chunk(list, readCount) {
		some = s.stillLacking(some)
		if err := s.log.append(ctx, some, true); err != nil {
			// One that is full can still be read. It is tried again.
			s.untold.Store(true)
			s.counts.failures.Add(1)
			return true, nil
		}
		s.counts.rewritten.Add(uint64(len(some)))
		for end := false; !end; {
			p, err := s.readOn(ctx)
			if err != nil || !p.known {
				s.untold.Store(true)
				return false, err
			}
			end = p.end
		}
	}
	s.follower.forgot = false
	return true, nil
}
