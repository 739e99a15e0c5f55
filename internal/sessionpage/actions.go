package sessionpage

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"sync"

	"golang.org/x/sync/errgroup"
)

const (
	// maxConcurrent bounds the concurrent calls to Clerk of one request.
	maxConcurrent = 8
	// maxRounds bounds how often sessions are listed while all of them are ended, where
	// there are more than one answer holds.
	maxRounds = 4
)

// errEdge is the error where Clerk has ended the session, but revoking it at this edge
// has failed.
var errEdge = errors.New("the edge could not be told that the session has ended")

// list answers with the sessions of the user.
func list(ctx context.Context, q *pageRequest) {
	found, more, err := q.clerk.list(ctx, q.principal.UserID)
	if err != nil {
		q.answerError(err, nil)
		return
	}
	q.answerList(Listing{Sessions: describe(found, q.principal.SessionID), More: more, AccountChooserURL: q.chooserWithReturn(q.r)})
}

// revoke ends one session, which must be one of the user's.
func revoke(ctx context.Context, q *pageRequest, id string) {
	if err := q.clerk.checkOwner(ctx, q.principal.UserID, id); err != nil {
		q.answerError(err, nil)
		return
	}
	if err := q.endSession(ctx, id); err != nil {
		q.answerError(err, nil)
		return
	}
	if id == q.principal.SessionID {
		q.answerSignedOut([]string{id})
		return
	}
	q.answerEnded([]string{id})
}

// signOut ends the session of the request.
func signOut(ctx context.Context, q *pageRequest) {
	id := q.principal.SessionID
	if err := q.endSession(ctx, id); err != nil {
		q.answerError(err, nil)
		return
	}
	q.answerSignedOut([]string{id})
}

// signOutEverywhere ends all sessions of the user, that of the request last: if a call
// fails, the user is still signed in and can try again.
func signOutEverywhere(ctx context.Context, q *pageRequest) {
	var ended []string
	for range maxRounds {
		found, more, err := q.clerk.list(ctx, q.principal.UserID)
		if err != nil {
			q.answerError(err, ended)
			return
		}
		var others []string
		for _, s := range found {
			if s.ID != q.principal.SessionID && !slices.Contains(ended, s.ID) {
				others = append(others, s.ID)
			}
		}
		gone, err := q.endSessions(ctx, others)
		if ended = append(ended, gone...); err != nil {
			q.answerError(err, ended)
			return
		}
		if !more {
			break
		}
	}
	if err := q.endSession(ctx, q.principal.SessionID); err != nil {
		q.answerError(err, ended)
		return
	}
	q.answerSignedOut(append(ended, q.principal.SessionID))
}

// endSessions ends sessions, a few concurrently, and returns those that have ended, in
// the given order.
func (q *pageRequest) endSessions(ctx context.Context, ids []string) ([]string, error) {
	var group errgroup.Group
	group.SetLimit(maxConcurrent)
	var mu sync.Mutex
	failed := map[string]bool{}
	for _, id := range ids {
		group.Go(func() error {
			err := q.endSession(ctx, id)
			if err != nil {
				mu.Lock()
				defer mu.Unlock()
				failed[id] = true
			}
			return err
		})
	}
	err := group.Wait()
	return slices.DeleteFunc(slices.Clone(ids), func(id string) bool { return failed[id] }), err
}

// endSession ends a session at Clerk, and then at this edge: if Clerk returns an error,
// nothing has changed.
func (q *pageRequest) endSession(ctx context.Context, id string) error {
	if err := q.clerk.revoke(ctx, id); err != nil {
		return err
	}
	q.options.Logger.Info("session ended by its user", "user_id", q.principal.UserID, "session_id", id, "by_session_id", q.principal.SessionID)
	if q.options.Revoker == nil {
		return nil
	}
	if err := q.options.Revoker.RevokeSession(ctx, id); err != nil {
		return fmt.Errorf("%w: %w", errEdge, err)
	}
	return nil
}

// answerEnded answers that other sessions of the user have ended.
func (q *pageRequest) answerEnded(ids []string) {
	if !q.html {
		q.writeJSON(http.StatusOK, Ended{Revoked: ids})
		return
	}
	q.redirect(q.prefix + "?done=" + doneRevoked)
}

// answerSignedOut answers that the session of the request has ended. It clears the
// cookies and the pages that the browser has cached.
func (q *pageRequest) answerSignedOut(ids []string) {
	q.clearCookies()
	q.invalidateBackCache()
	if !q.html {
		q.writeJSON(http.StatusOK, Ended{Revoked: ids, SignedOut: true})
		return
	}
	if q.options.SignedOutURL != "" {
		q.redirect(q.options.SignedOutURL)
		return
	}
	q.redirect(q.prefix + "/signed-out")
}

// redirect answers 303, on which browsers send a GET. The target comes from the
// configuration, never from the request.
func (q *pageRequest) redirect(to string) {
	q.setPrivateHeaders()
	q.w.Header().Set("Location", to)
	q.w.WriteHeader(http.StatusSeeOther)
}
