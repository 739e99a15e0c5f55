package clerkapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	sessions "github.com/clerk/clerk-sdk-go/v2/session"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/claim"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

const (
	// maxTemplateToken bounds the tokens that are taken, in bytes: upstreams
	// bound their fields.
	maxTemplateToken = 8 << 10
	// maxTemplateTokens bounds all that is kept, in bytes.
	maxTemplateTokens = 32 << 20

	// renewBefore is how long before it expires a token is no longer sent.
	renewBefore = 10 * time.Second
	// keepAtLeast spares Clerk where tokens live hardly longer than that.
	keepAtLeast = time.Second
	// keepAtMost bounds how old the claims of a long-lived token become.
	keepAtMost = 5 * time.Minute
	// keepFailure spares Clerk the requests that come while it fails.
	keepFailure = time.Second
	// keepGone is longer than the tokens of a session outlive it.
	keepGone = 2 * time.Minute
)

// Tokens fetches tokens of JWT templates from Clerk's Backend API. A token is used until
// ten seconds before it expires, and for five minutes at most. The cache is bounded. It
// is safe for concurrent use.
type Tokens struct {
	client *sessions.Client
	known  *otter.Cache[tokenKey, tokenAnswer]
	flight singleflight.Group
}

// tokenKey is what a token is made for.
type tokenKey struct{ session, user, org, role, template string }

// flight tells apart the calls that can be shared: those for principals that may
// the same.
func (k tokenKey) flight(p *policy.Principal) string {
	return fmt.Sprintf("%q %q %+v %+v", k, p.OrgPermissions, p.Features, p.Plans)
}

// tokenAnswer is a token, or why there is none, and until when that counts.
type tokenAnswer struct {
	token  string
	reason policy.Reason
	cause  error
	until  time.Time
	// about is whom it was made for, and made the same principal as of then.
	about, made *policy.Principal
}

// counts reports whether an answer is good for a principal, as of now: what the
// session may has not changed since, as far as its token or a webhook says.
func (a *tokenAnswer) counts(p *policy.Principal, ended policy.Revocations, now time.Time) bool {
	if !now.Before(a.until) || !maySame(a.about, p) {
		return false
	}
	if a.token == "" || ended == nil {
		return true
	}
	reason := ended.Revoked(a.made, now)
	return reason == "" || reason == policy.ReasonRevocationsUnavailable
}

// maySame reports whether the tokens of two principals of one role say that they
// may the same.
func maySame(a, b *policy.Principal) bool {
	return a == b || a.OrgSlug == b.OrgSlug && a.Actor == b.Actor && slices.Equal(a.OrgPermissions, b.OrgPermissions) &&
		sameEntitlements(&a.Features, &b.Features) && sameEntitlements(&a.Plans, &b.Plans)
}

func sameEntitlements(a, b *policy.Entitlements) bool {
	return a.Malformed == b.Malformed && slices.Equal(a.Org, b.Org) && slices.Equal(a.User, b.User)
}

// NewTokens returns a source of tokens. An access without a secret key is an error, and
// so is a URL to which the key must not be sent.
func NewTokens(a Access) (*Tokens, error) {
	client, err := a.client(calls.ForKnown)
	if err != nil {
		return nil, err
	}
	return &Tokens{
		client: client,
		known:  otter.Must(&otter.Options[tokenKey, tokenAnswer]{MaximumWeight: maxTemplateTokens, Weigher: weigh}),
	}, nil
}

// weigh returns about how many bytes an entry takes.
func weigh(k tokenKey, a tokenAnswer) uint32 {
	const overhead = 1024
	return uint32(overhead + len(a.token) + len(k.session) + len(k.user) + len(k.org) + len(k.role) + len(k.template))
}

// Token implements [policy.Tokens]. A call under way is shared; each caller
// waits no longer than its own ctx allows. Failures are cached for a second.
func (t *Tokens) Token(ctx context.Context, p *policy.Principal, template string, now time.Time) (string, policy.Reason, error) {
	return t.token(ctx, p, template, nil, now)
}

// Under returns the same tokens, checked against revocations: a token that was issued
// before the claims of its session became stale is not used.
func (t *Tokens) Under(ended policy.Revocations) policy.Tokens { return tokensUnder{t, ended} }

type tokensUnder struct {
	tokens *Tokens
	ended  policy.Revocations
}

func (u tokensUnder) Token(ctx context.Context, p *policy.Principal, template string, now time.Time) (string, policy.Reason, error) {
	return u.tokens.token(ctx, p, template, u.ended, now)
}

func (t *Tokens) token(ctx context.Context, p *policy.Principal, template string, ended policy.Revocations, now time.Time) (string, policy.Reason, error) {
	key := tokenKey{p.SessionID, p.UserID, p.OrgID, p.OrgRole, template}
	if known, ok := t.known.GetIfPresent(key); ok && known.counts(p, ended, now) {
		return known.token, known.reason, known.cause
	}
	if !calls.IsSessionID(p.SessionID) {
		return "", policy.ReasonClerkUnavailable, errors.New("the principal has no session")
	}
	done := t.flight.DoChan(key.flight(p), func() (any, error) {
		return t.fetch(context.WithoutCancel(ctx), key, p, ended, now), nil
	})
	select {
	case result := <-done:
		answer := result.Val.(tokenAnswer)
		return answer.token, answer.reason, answer.cause
	case <-ctx.Done():
		return "", policy.ReasonClerkUnavailable, fmt.Errorf("waiting for Clerk: %w", ctx.Err())
	}
}

// fetch asks Clerk, and keeps the answer. One that came while this call was
// waiting to begin is good enough.
func (t *Tokens) fetch(ctx context.Context, key tokenKey, p *policy.Principal, ended policy.Revocations, now time.Time) tokenAnswer {
	if known, ok := t.known.GetIfPresent(key); ok && known.counts(p, ended, now) {
		return known
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, calls.Timeout)
	defer cancel()
	answer := t.ask(ctx, key, now)
	if answer.until.IsZero() {
		answer.until = now.Add(time.Since(began) + keepFailure)
	}
	answer.about, answer.made = p, asOf(p, answer.token, now)
	t.known.Set(key, answer)
	return answer
}

// asOf is a principal as if its token was made when this one was: by Clerk's
// clock, where it says so.
func asOf(p *policy.Principal, token string, now time.Time) *policy.Principal {
	made := &policy.Principal{
		TokenType: p.TokenType, UserID: p.UserID, SessionID: p.SessionID, OrgID: p.OrgID, OrgSlug: p.OrgSlug, OrgRole: p.OrgRole,
		Actor: p.Actor, IssuedAt: now, ExpiresAt: p.ExpiresAt, TokenDigest: p.TokenDigest, Claims: p.Claims,
	}
	if t, err := unverified.Decode(token, compat.Relaxations{}, nil); err == nil {
		if iat := claim.Instant(t.Claims["iat"]); iat.After(time.Unix(0, 0)) && iat.Before(now) {
			made.IssuedAt = iat
		}
	}
	return made
}

// ask makes the call.
func (t *Tokens) ask(ctx context.Context, key tokenKey, now time.Time) tokenAnswer {
	made, err := t.client.CreateToken(ctx, &sessions.CreateTokenParams{ID: key.session, TemplateName: key.template})
	if err != nil {
		return t.refused(ctx, key, now, err)
	}
	return key.accept(made.JWT, now)
}

func unavailable(why string) tokenAnswer {
	return tokenAnswer{reason: policy.ReasonClerkUnavailable, cause: errors.New("getting a token: " + why)}
}

// refused says what it means that Clerk made no token. What a client error is
// about, the session or the template, the session tells.
func (t *Tokens) refused(ctx context.Context, key tokenKey, now time.Time, err error) tokenAnswer {
	status := statusOf(err)
	switch {
	case calls.IsVerdict(status) || status == http.StatusForbidden:
		if reason := t.ended(ctx, key); reason != "" {
			return tokenAnswer{reason: reason, cause: fmt.Errorf("getting a token: Clerk answered %d: the session is not active", status), until: now.Add(keepGone)}
		}
		return unavailable(fmt.Sprintf("Clerk answered %d; is there a JWT template %q?", status, key.template))
	case status == 0:
		return unavailable(calls.NoAnswer(err).Error())
	}
	return unavailable(fmt.Sprintf("Clerk answered %d", status))
}

// statusOf returns the status of an answer that is Clerk's error; zero for all
// other errors, whose text may be an answer's and goes nowhere.
func statusOf(err error) int {
	refused, ok := errors.AsType[*clerk.APIErrorResponse](err)
	if !ok || refused.Response == nil {
		return 0
	}
	return refused.Response.StatusCode
}

// ended returns why a session is not signed in, or "" where it is, or that
// cannot be told.
func (t *Tokens) ended(ctx context.Context, key tokenKey) policy.Reason {
	found, err := t.client.Get(ctx, key.session)
	if statusOf(err) == http.StatusNotFound {
		return policy.ReasonSessionRevoked
	}
	switch {
	case err != nil || found.ID != key.session || found.Status == "active":
		return ""
	case found.Status == "pending":
		return policy.ReasonSessionPending
	}
	return policy.ReasonSessionRevoked
}

// accept reads a token that Clerk made. It must be the user's, and where it
// names an organization, that of the request: Clerk makes it for the one that
// the session used last.
func (k tokenKey) accept(text string, now time.Time) tokenAnswer {
	if len(text) > maxTemplateToken {
		return unavailable("the token is longer than 8 KiB")
	}
	made, err := unverified.Decode(text, compat.Relaxations{}, nil)
	if err != nil {
		return unavailable(err.Error())
	}
	expires := claim.Instant(made.Claims["exp"])
	switch {
	case !expires.After(now):
		return unavailable("the token does not say when it expires, or has expired")
	case made.Claims["sub"] != k.user:
		return unavailable("the token is not the user's")
	case !k.inOrganization(made.Claims):
		return tokenAnswer{reason: policy.ReasonOrganizationRequired, cause: errors.New("getting a token: Clerk made it for another organization")}
	}
	keep := min(max(expires.Sub(now)-renewBefore, keepAtLeast), keepAtMost, expires.Sub(now))
	return tokenAnswer{token: text, until: now.Add(keep)}
}

// inOrganization reports whether no organization is named but the active one.
// Templates may put anything into these claims; only ids count.
func (k tokenKey) inOrganization(claims map[string]any) bool {
	o, _ := claims["o"].(map[string]any)
	for _, id := range []string{claim.Text(claims, "org_id"), claim.Text(o, "id")} {
		if strings.HasPrefix(id, "org_") && id != k.org {
			return false
		}
	}
	return true
}

var _ policy.Tokens = (*Tokens)(nil)
