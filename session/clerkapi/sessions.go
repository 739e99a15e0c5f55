package clerkapi

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	sessions "github.com/clerk/clerk-sdk-go/v2/session"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
)

// maxBegan bounds of how many sessions it is known when they began.
const maxBegan = 16384

// Sessions looks sessions up in Clerk's Backend API. The time at which one began never
// changes, and is cached. Failures are not. It is safe for concurrent use.
type Sessions struct {
	client *sessions.Client
	began  *otter.Cache[string, time.Time]
	flight singleflight.Group
}

// NewSessions returns a lookup. An access without a secret key is an error, and so is a
// URL to which the key must not be sent.
func NewSessions(a Access) (*Sessions, error) {
	client, err := a.client(calls.ForKnown)
	if err != nil {
		return nil, err
	}
	return &Sessions{
		client: client,
		began:  otter.Must(&otter.Options[string, time.Time]{MaximumSize: maxBegan}),
	}, nil
}

// CreatedAt implements [policy.Sessions]. A lookup under way is shared; each
// caller waits no longer than its own ctx allows.
func (s *Sessions) CreatedAt(ctx context.Context, id string) (time.Time, error) {
	if began, ok := s.began.GetIfPresent(id); ok {
		return began, nil
	}
	if !calls.IsSessionID(id) {
		return time.Time{}, errors.New("not the id of a session")
	}
	done := s.flight.DoChan(id, func() (any, error) {
		return s.lookUp(context.WithoutCancel(ctx), id)
	})
	select {
	case result := <-done:
		began, _ := result.Val.(time.Time)
		return began, result.Err
	case <-ctx.Done():
		return time.Time{}, fmt.Errorf("waiting for Clerk: %w", ctx.Err())
	}
}

// lookUp asks Clerk. Its errors carry no text of an answer.
func (s *Sessions) lookUp(ctx context.Context, id string) (time.Time, error) {
	ctx, cancel := context.WithTimeout(ctx, calls.Timeout)
	defer cancel()
	found, err := s.client.Get(ctx, id)
	switch refusal, refused := errors.AsType[*clerk.APIErrorResponse](err); {
	case refused:
		return time.Time{}, fmt.Errorf("looking up a session: Clerk answered %d", refusal.HTTPStatusCode)
	case err != nil && ctx.Err() != nil:
		return time.Time{}, fmt.Errorf("looking up a session: %w", ctx.Err())
	case err != nil:
		return time.Time{}, errors.New("looking up a session: Clerk did not answer")
	case found.ID != id || found.CreatedAt <= 0:
		return time.Time{}, errors.New("looking up a session: Clerk's answer is not about it")
	}
	began := time.UnixMilli(found.CreatedAt)
	s.began.Set(id, began)
	return began, nil
}

var _ policy.Sessions = (*Sessions)(nil)
