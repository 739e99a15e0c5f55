package sessionpage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	sessions "github.com/clerk/clerk-sdk-go/v2/session"

	"github.com/clerkgate/clerkgate/session"
	"github.com/clerkgate/clerkgate/session/clerkapi"
)

const (
	actionTimeout = 25 * time.Second // of one request to the page, with all its calls to Clerk
	pageSize      = 500              // sessions in one answer, Clerk's maximum
)

var (
	errNotFound    = errors.New("there is no such session")
	errUnavailable = errors.New("it cannot be reached or does not keep up")
	errRefused     = errors.New("it refused, or its answer is malformed")
)

// backend is the part of Clerk's Backend API that the page calls. Its errors wrap one of
// the three above; none contains text of Clerk's answer.
type backend struct {
	sessions *sessions.Client
}

func newBackend(o *Options) (*backend, error) {
	if err := o.Clerk.Validate(); err != nil {
		return nil, err
	}
	client, err := session.PageClient(o.Clerk, o.HTTPClient)
	if err != nil {
		return nil, err
	}
	return &backend{client}, nil
}

// liveStatuses are the statuses of sessions that a browser can still use.
var liveStatuses = []string{"active", "pending"}

// list returns the live sessions of a user, and whether there are more than one answer
// holds. Sessions of other users in the answer are left out.
func (b *backend) list(ctx context.Context, userID string) (live []*clerk.Session, more bool, err error) {
	for _, status := range liveStatuses {
		params := &sessions.ListParams{UserID: &userID, Status: &status}
		params.Limit = new(int64(pageSize))
		answer, err := b.sessions.List(ctx, params)
		if err != nil {
			return nil, false, classify(ctx, "listing sessions", err)
		}
		for _, s := range answer.Sessions {
			if s != nil && s.UserID == userID && s.Status == status && sessionID.MatchString(s.ID) {
				live = append(live, s)
			}
		}
		more = more || answer.TotalCount > int64(len(answer.Sessions))
	}
	return live, more, nil
}

// checkOwner returns an error unless the session is the user's: errNotFound for one of
// another user.
func (b *backend) checkOwner(ctx context.Context, userID, id string) error {
	found, err := b.sessions.Get(ctx, id)
	switch {
	case err != nil:
		return classify(ctx, "looking up a session", err)
	case found.ID != id || found.UserID != userID:
		return errNotFound
	}
	return nil
}

// revoke ends a session. It returns no error for one that has ended already or that
// does not exist.
func (b *backend) revoke(ctx context.Context, id string) error {
	ended, err := b.sessions.Revoke(ctx, &sessions.RevokeParams{ID: id})
	switch {
	case err != nil:
		err = classify(ctx, "ending a session", err)
		if errors.Is(err, errNotFound) || errors.Is(err, errRefused) && b.hasEnded(ctx, id) {
			return nil
		}
		return err
	case ended.ID != id || isLive(ended.Status):
		return fmt.Errorf("ending a session at Clerk: %w", errRefused)
	}
	return nil
}

// hasEnded reports whether Clerk knows a session as ended.
func (b *backend) hasEnded(ctx context.Context, id string) bool {
	found, err := b.sessions.Get(ctx, id)
	return err == nil && found.ID == id && found.Status != "" && !isLive(found.Status)
}

func isLive(status string) bool { return status == liveStatuses[0] || status == liveStatuses[1] }

// classify returns the kind of an error, without its text.
func classify(ctx context.Context, doing string, err error) error {
	kind := errUnavailable
	if errors.Is(err, clerkapi.ErrRedirected) {
		kind = errRefused
	}
	if refusal, ok := errors.AsType[*clerk.APIErrorResponse](err); ok && ctx.Err() == nil {
		switch {
		case refusal.HTTPStatusCode == http.StatusNotFound:
			kind = errNotFound
		case refusal.HTTPStatusCode != http.StatusTooManyRequests && refusal.HTTPStatusCode < http.StatusInternalServerError:
			kind = errRefused
		}
		return fmt.Errorf("%s at Clerk: status %d: %w", doing, refusal.HTTPStatusCode, kind)
	}
	return fmt.Errorf("%s at Clerk: %w", doing, kind)
}
