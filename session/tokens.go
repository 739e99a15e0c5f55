package session

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
	sessions "github.com/clerk/clerk-sdk-go/v2/session"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/clerkgate/clerkgate/policy"
)

const (
	// maxTemplateToken bounds the tokens that are taken, in bytes: upstreams
	// bound their fields.
	maxTemplateToken = 8 << 10
	// maxTemplateTokens bounds all that is kept, in bytes.
	maxTemplateTokens = 32 << 20
	// maxTemplateCalls bounds the calls to Clerk that are under way.
	maxTemplateCalls = 64

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
	// longestBackoff bounds how long Clerk can ask us to wait.
	longestBackoff = 30 * time.Second
)

// Tokens gets the tokens of JWT templates from Clerk's Backend API. One that was
// fetched is sent until ten seconds before it expires, and for five minutes at
// most. It is bounded and safe for concurrent use.
type Tokens struct {
	client *sessions.Client
	known  *otter.Cache[tokenKey, tokenAnswer]
	flight singleflight.Group
	calls  chan struct{}
	// quietUntil is when Clerk, having had too many calls, takes more: Unix
	// nanoseconds.
	quietUntil atomic.Int64
}

// tokenKey is what a token is made for.
type tokenKey struct{ session, user, org, template string }

func (k tokenKey) String() string {
	return strings.Join([]string{k.session, k.user, k.org, k.template}, "\x00")
}

// tokenAnswer is a token, or why there is none, and until when that counts.
type tokenAnswer struct {
	token  string
	reason policy.Reason
	cause  error
	until  time.Time
}

// NewTokens returns a source of tokens with the configuration's secret key. The
// HTTP client lends its connections and may be nil.
func NewTokens(cfg Config, httpClient *http.Client) (*Tokens, error) {
	client, err := sessionsClient(cfg, httpClient)
	if err != nil {
		return nil, err
	}
	return &Tokens{
		client: client,
		known:  otter.Must(&otter.Options[tokenKey, tokenAnswer]{MaximumWeight: maxTemplateTokens, Weigher: weigh}),
		calls:  make(chan struct{}, maxTemplateCalls),
	}, nil
}

// weigh returns about how many bytes an entry takes.
func weigh(k tokenKey, a tokenAnswer) uint32 {
	const overhead = 512
	return uint32(overhead + len(a.token) + len(k.session) + len(k.user) + len(k.org) + len(k.template))
}

// Token implements [policy.Tokens]. A call under way is shared; each caller
// waits no longer than its own ctx allows. Failures are kept for a second.
func (t *Tokens) Token(ctx context.Context, p *policy.Principal, template string, now time.Time) (string, policy.Reason, error) {
	key := tokenKey{p.SessionID, p.UserID, p.OrgID, template}
	if known, ok := t.known.GetIfPresent(key); ok && now.Before(known.until) {
		return known.token, known.reason, known.cause
	}
	if !sessionID.MatchString(p.SessionID) {
		return "", policy.ReasonClerkUnavailable, errors.New("the principal has no session")
	}
	done := t.flight.DoChan(key.String(), func() (any, error) {
		return t.fetch(context.WithoutCancel(ctx), key, now), nil
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
func (t *Tokens) fetch(ctx context.Context, key tokenKey, now time.Time) tokenAnswer {
	if known, ok := t.known.GetIfPresent(key); ok && now.Before(known.until) {
		return known
	}
	began := time.Now()
	ctx, cancel := context.WithTimeout(ctx, callTimeout)
	defer cancel()
	answer := t.ask(ctx, key, now)
	if answer.until.IsZero() {
		answer.until = now.Add(time.Since(began) + keepFailure)
	}
	t.known.Set(key, answer)
	return answer
}

// ask makes the call, when it is its turn.
func (t *Tokens) ask(ctx context.Context, key tokenKey, now time.Time) tokenAnswer {
	select {
	case t.calls <- struct{}{}:
		defer func() { <-t.calls }()
	case <-ctx.Done():
		return unavailable("too many calls to Clerk are under way")
	}
	if now.UnixNano() < t.quietUntil.Load() {
		return unavailable("Clerk has had too many calls")
	}
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
	status, header := refusal(err)
	switch {
	case status == http.StatusTooManyRequests:
		t.quietUntil.Store(now.Add(backoff(header)).UnixNano())
	case status >= 400 && status < 500 && status != http.StatusUnauthorized:
		if reason := t.ended(ctx, key); reason != "" {
			return tokenAnswer{reason: reason, cause: fmt.Errorf("getting a token: Clerk answered %d: the session is not active", status), until: now.Add(keepGone)}
		}
		return unavailable(fmt.Sprintf("Clerk answered %d; is there a JWT template %q?", status, key.template))
	case status == 0 && ctx.Err() != nil:
		return unavailable("Clerk did not answer in time")
	case status == 0:
		return unavailable("Clerk gave no answer that can be read")
	}
	return unavailable(fmt.Sprintf("Clerk answered %d", status))
}

// refusal returns the status and the fields of an answer that is Clerk's error;
// zero for all other errors, whose text may be an answer's and goes nowhere.
func refusal(err error) (int, http.Header) {
	refused, ok := errors.AsType[*clerk.APIErrorResponse](err)
	if !ok || refused.Response == nil {
		return 0, nil
	}
	return refused.Response.StatusCode, refused.Response.Header
}

// backoff is how long Clerk wants to be left alone (RFC 9110 § 10.2.3), within
// reason.
func backoff(header http.Header) time.Duration {
	seconds, err := strconv.ParseUint(header.Get("Retry-After"), 10, 64)
	if err != nil {
		return keepFailure
	}
	return max(time.Duration(min(seconds, uint64(longestBackoff/time.Second)))*time.Second, keepFailure)
}

// ended returns why a session is not signed in, or "" where it is, or that
// cannot be told.
func (t *Tokens) ended(ctx context.Context, key tokenKey) policy.Reason {
	found, err := t.client.Get(ctx, key.session)
	if status, _ := refusal(err); status == http.StatusNotFound {
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
	made, err := decodeToken(text, relaxations{}, nil)
	if err != nil {
		return unavailable(err.Error())
	}
	expires := instant(made.claims["exp"])
	switch {
	case !expires.After(now):
		return unavailable("the token does not say when it expires, or has expired")
	case made.claims["sub"] != k.user:
		return unavailable("the token is not the user's")
	case !k.inOrganization(made.claims):
		return tokenAnswer{reason: policy.ReasonOrganizationRequired, cause: errors.New("getting a token: Clerk made it for another organization")}
	}
	keep := min(max(expires.Sub(now)-renewBefore, keepAtLeast), keepAtMost, expires.Sub(now))
	return tokenAnswer{token: text, until: now.Add(keep)}
}

// inOrganization reports whether no organization is named but the active one.
// Templates may put anything into these claims; only ids count.
func (k tokenKey) inOrganization(claims map[string]any) bool {
	o, _ := claims["o"].(map[string]any)
	for _, id := range []string{text(claims, "org_id"), text(o, "id")} {
		if strings.HasPrefix(id, "org_") && id != k.org {
			return false
		}
	}
	return true
}

var _ policy.Tokens = (*Tokens)(nil)
