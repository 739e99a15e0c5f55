package machine

import (
	"context"
	"fmt"
	"net/http"
	"net/netip"
	"time"

	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/machineid"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
	"github.com/clerkgate/clerkgate/session/jwt"
)

const (
	// OpaqueTTL is how long Clerk's answer for an opaque token is valid, and so how
	// long a revoked one may still be taken.
	OpaqueTTL = 30 * time.Second
	// rejectedFor is how long an invalid one is remembered.
	rejectedFor = 10 * time.Second
	// maxVouched bounds how many valid tokens are remembered.
	maxVouched = 16384
	// maxRejected bounds how many rejected tokens are remembered. They are
	// remembered apart, so that a flood of them forgets no good one.
	maxRejected = 4096
	// maxOpaque bounds an opaque token, in bytes. Longer ones are not asked about.
	maxOpaque = 1 << 10
)

// lookup has Clerk verify opaque machine tokens and remembers what it
// said, under a hash of the token. Times are looked at each time. Outages are
// not remembered.
type lookup struct {
	api      *api
	audience []string // of OAuth access tokens
	relaxed  compat.Relaxations
	vouched  *otter.Cache[fingerprint.Sum, *vouched]
	rejected *otter.Cache[fingerprint.Sum, *rejected]
	flight   singleflight.Group
}

// vouched is what Clerk said of a good token, and when it was asked.
type vouched struct {
	principal *policy.Principal
	audience  any
	asked     time.Time
}

// rejected is why Clerk did not vouch for a token, and when it was asked.
type rejected struct {
	err   error
	asked time.Time
}

func newLookup(o Options) (*lookup, error) {
	api, err := newAPI(o)
	if err != nil {
		return nil, err
	}
	return &lookup{
		api:      api,
		audience: o.Audience,
		relaxed:  compat.Of(o.ReferenceCompat),
		vouched:  otter.Must(&otter.Options[fingerprint.Sum, *vouched]{MaximumSize: maxVouched}),
		rejected: otter.Must(&otter.Options[fingerprint.Sum, *rejected]{MaximumSize: maxRejected}),
	}, nil
}

// verify returns the principal that an opaque token of the type stands for, as
// of now. The error is an *[Error].
func (l *lookup) verify(ctx context.Context, from netip.Addr, text string, kind policy.TokenType, now time.Time) (*policy.Principal, error) {
	if !isOpaque(text) {
		return nil, jwt.NewError(policy.ReasonTokenInvalid, "the token is not one that Clerk makes")
	}
	known, err := l.find(ctx, from, text, kind, now)
	if err != nil {
		return nil, err
	}
	if expires := known.principal.ExpiresAt; !expires.IsZero() && !now.Before(expires) {
		return nil, jwt.NewError(policy.ReasonTokenInvalid, "the token has expired")
	}
	if kind == policy.OAuthToken && !machineid.AcceptsAudience(l.audience, known.audience) {
		return nil, jwt.NewError(policy.ReasonTokenVerification, "the token is for none of the configured audiences")
	}
	return known.principal, nil
}

// isOpaque reports whether text can be an opaque token: printable characters,
// and not the form of a JSON Web Token, which Clerk's library would not ask
// about.
func isOpaque(text string) bool {
	return calls.IsPrintable(text, maxOpaque) && !unverified.IsCompact(text)
}

// find returns what Clerk says of a token. All who ask about one token at once
// share a call, and wait no longer than their own ctx allows.
func (l *lookup) find(ctx context.Context, from netip.Addr, text string, kind policy.TokenType, now time.Time) (*vouched, error) {
	id := fingerprint.Of(text)
	if known, err := l.remembered(id, now); known != nil || err != nil {
		return known, err
	}
	done := l.flight.DoChan(string(id[:]), func() (any, error) {
		if known, err := l.remembered(id, now); known != nil || err != nil {
			return known, err // one call ended since
		}
		return l.ask(calls.Because(context.WithoutCancel(ctx), l.kindOfCall(id, kind), from), id, text, kind, now)
	})
	select {
	case result := <-done:
		known, _ := result.Val.(*vouched)
		return known, result.Err
	case <-ctx.Done():
		return nil, &jwt.Error{Reason: policy.ReasonCanceled, Err: fmt.Errorf("waiting for Clerk: %w", ctx.Err())}
	}
}

// kindOfCall is what a call about a token is for. A token that Clerk has vouched
// for before is that of somebody who is known.
func (l *lookup) kindOfCall(id fingerprint.Sum, kind policy.TokenType) calls.Kind {
	if _, ok := l.vouched.GetIfPresent(id); ok {
		return calls.ForKnown
	}
	return calls.ForToken(kind)
}

// remembered returns what Clerk said of a token a moment ago, or nothing.
func (l *lookup) remembered(id fingerprint.Sum, now time.Time) (*vouched, error) {
	if known, ok := l.vouched.GetIfPresent(id); ok && within(known.asked, OpaqueTTL, now) {
		return known, nil
	}
	if known, ok := l.rejected.GetIfPresent(id); ok && within(known.asked, rejectedFor, now) {
		return nil, known.err
	}
	return nil, nil
}

// within reports whether now is less than d after the time, or before it, as
// for another request that began earlier.
func within(at time.Time, d time.Duration, now time.Time) bool {
	age := now.Sub(at)
	return -d < age && age < d
}

// ask has Clerk verify a token, and remembers its word.
func (l *lookup) ask(ctx context.Context, id fingerprint.Sum, text string, kind policy.TokenType, now time.Time) (*vouched, error) {
	said, err := l.api.verify(ctx, text, kind)
	if err == nil {
		err = said.identity.Check(kind, l.relaxed)
		if err != nil {
			err = &jwt.Error{Reason: policy.ReasonTokenVerification, Err: err}
		}
	}
	switch {
	case isOutage(err):
		return nil, err
	case err != nil:
		l.vouched.Invalidate(id)
		l.rejected.Set(id, &rejected{err, now})
		return nil, err
	}
	known := &vouched{said.identity.Principal(kind, id), said.audience, now}
	l.vouched.Set(id, known)
	return known, nil
}

// isOutage reports whether an error says nothing about a token, of whatever kind:
// all that is answered with 503. Of an opaque token, Clerk says nothing either where
// it refuses the secret key.
func isOutage(err error) bool {
	return jwt.ReasonOf(err).Status() == http.StatusServiceUnavailable
}
