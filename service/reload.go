package service

import (
	"errors"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

var errClosed = errors.New("service: it is closed")

// attempt is how the document was loaded last.
type attempt struct {
	read  *setup.Reading
	rules int
	err   error // why it is not in force; nil if it is
}

// Reload puts the document as it is now into force. On an error nothing changes.
// What counts on goes on: limits and ended sessions always, keys and verified tokens
// where the section clerk is as it was.
//
// Either result is logged, and is in [Service.Readiness] and in the metrics.
func (s *Service) Reload() error {
	s.reloading.Lock()
	defer s.reloading.Unlock()
	return s.reload()
}

// reload is [Service.Reload] with the lock.
func (s *Service) reload() error {
	if s.closed {
		return errClosed
	}
	before := s.last.Load()
	warnings, err := s.load()
	now := s.last.Load()
	logger := s.options.Logger.With("file", s.path, "hash", now.read.Hash(), "changed", now.read.Since(before.read))
	if err != nil {
		logger.Error("the new document is not valid; the old one stays in force", "errors", strings.Split(err.Error(), "\n"))
		return err
	}
	logger.Info("reloaded", "rules", now.rules, "warnings", warnings)
	return nil
}

// load loads the document, puts it into force if nothing is wrong with it, and logs its
// warnings, of which it returns the number.
func (s *Service) load() (warnings int, err error) {
	now := &attempt{read: new(setup.Reading)}
	last, next := s.state.Load(), &state{lease: s.pool.Lease()}
	config, findings, err := now.read.LoadFile(s.path, func(config *setup.Config) ([]policy.Warning, error) {
		return next.prepare(config, &s.options)
	})
	if err != nil {
		next.lease.Release()
		now.err = err
		s.last.Store(now)
		s.counts.Refused()
		return 0, err
	}
	next.lease.Start()
	if last != nil { // which answers until new stores have read what others told
		next.lease.Await()
	}
	now.rules = len(config.Rules)
	s.state.Store(next)
	s.last.Store(now)
	s.counts.Taken(now.read.Hash(), time.Now())
	if last != nil {
		last.lease.Release()
	}
	for _, finding := range findings {
		if !finding.Note {
			warnings++
			s.options.Logger.Warn("policy", "warning", finding.Warning.String(), "at", finding.Position.String())
		}
	}
	return warnings, nil
}

// prepare makes all that a document says. Nothing that is in force notices.
func (s *state) prepare(config *setup.Config, o *Options) (warnings []policy.Warning, err error) {
	if s.gate, err = s.lease.Gate(config, setup.Options{Logger: o.Logger}); err != nil || o.DecideOnly {
		return nil, err
	}
	s.pages, warnings, err = newPages(config, s.gate, o)
	return warnings, err
}
