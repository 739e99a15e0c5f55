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
	// atOnce bounds the calls to Clerk that one request has under way.
	atOnce = 8
	// maxRounds bounds how often sessions are listed while all of them are
	// ended: so many that they fill more than one answer.
	maxRounds = 4
)

// errEdge: Clerk has ended the session, and this edge could not be told.
var errEdge = errors.New("the edge could not be told that the session has ended")

// list answers with the sessions of whoever asks.
func list(ctx context.Context, v *visit) {
	found, more, err := v.clerk.list(ctx, v.who.UserID)
	if err != nil {
		v.fail(err, nil)
		return
	}
	v.show(Listing{Sessions: describe(found, v.who.SessionID), More: more, AccountChooserURL: v.chooserFor(v.r)})
}

// revoke ends one session, which must belong to whoever asks.
func revoke(ctx context.Context, v *visit, id string) {
	if err := v.clerk.own(ctx, v.who.UserID, id); err != nil {
		v.fail(err, nil)
		return
	}
	if err := v.end(ctx, id); err != nil {
		v.fail(err, nil)
		return
	}
	if id == v.who.SessionID {
		v.leave([]string{id})
		return
	}
	v.done([]string{id})
}

// signOut ends the session of the request.
func signOut(ctx context.Context, v *visit) {
	id := v.who.SessionID
	if err := v.end(ctx, id); err != nil {
		v.fail(err, nil)
		return
	}
	v.leave([]string{id})
}

// signOutEverywhere ends all sessions of whoever asks, their own last: should
// anything fail, they are still here to try again.
func signOutEverywhere(ctx context.Context, v *visit) {
	var ended []string
	for range maxRounds {
		found, more, err := v.clerk.list(ctx, v.who.UserID)
		if err != nil {
			v.fail(err, ended)
			return
		}
		var others []string
		for _, s := range found {
			if s.ID != v.who.SessionID && !slices.Contains(ended, s.ID) {
				others = append(others, s.ID)
			}
		}
		gone, err := v.endAll(ctx, others)
		if ended = append(ended, gone...); err != nil {
			v.fail(err, ended)
			return
		}
		if !more {
			break
		}
	}
	if err := v.end(ctx, v.who.SessionID); err != nil {
		v.fail(err, ended)
		return
	}
	v.leave(append(ended, v.who.SessionID))
}

// endAll ends sessions, a few at once, and returns those that ended, in the
// order given.
func (v *visit) endAll(ctx context.Context, ids []string) ([]string, error) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	var mu sync.Mutex
	failed := map[string]bool{}
	for _, id := range ids {
		group.Go(func() error {
			err := v.end(ctx, id)
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

// end ends a session at Clerk, and then at this edge: where Clerk refuses,
// nothing has changed.
func (v *visit) end(ctx context.Context, id string) error {
	if err := v.clerk.revoke(ctx, id); err != nil {
		return err
	}
	v.options.Logger.Info("session ended by its user", "user_id", v.who.UserID, "session_id", id, "by_session_id", v.who.SessionID)
	if v.options.Revoker == nil {
		return nil
	}
	if err := v.options.Revoker.RevokeSession(ctx, id); err != nil {
		return fmt.Errorf("%w: %w", errEdge, err)
	}
	return nil
}

// done answers that others of one's sessions have ended.
func (v *visit) done(ids []string) {
	if !v.page {
		v.writeJSON(http.StatusOK, Ended{Revoked: ids})
		return
	}
	v.redirect(v.prefix + "?done=" + doneRevoked)
}

// leave answers that the session of the request has ended, and takes its
// cookies and pages away.
func (v *visit) leave(ids []string) {
	v.clearCookies()
	v.forgetPages()
	if !v.page {
		v.writeJSON(http.StatusOK, Ended{Revoked: ids, SignedOut: true})
		return
	}
	if v.options.SignedOutURL != "" {
		v.redirect(v.options.SignedOutURL)
		return
	}
	v.redirect(v.prefix + "/signed-out")
}

// redirect sends a browser on with GET. The target is always ours: nothing in a
// request names one.
func (v *visit) redirect(to string) {
	v.keepPrivate()
	v.w.Header().Set("Location", to)
	v.w.WriteHeader(http.StatusSeeOther)
}
