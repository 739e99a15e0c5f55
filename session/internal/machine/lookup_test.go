package machine

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/netip"
	"strconv"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// expectState decides by a token as of the clock, and compares.
func expectState(t *testing.T, m *Authenticator, token string, status policy.AuthStatus, reason policy.Reason) {
	t.Helper()
	got := m.authenticate(t.Context(), netip.Addr{}, token, anyToken, time.Now())
	if got.Status != status || got.Reason != reason || (got.Principal != nil) != (status == policy.SignedIn) {
		t.Errorf("%v for %q (%v), want %v for %q", got.Status, got.Reason, got.Cause, status, reason)
	}
}

func TestClerksWordCountsForAMoment(t *testing.T) {
	good := sessiontest.APIAnswer(t, policy.APIKey, nil)
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		m := testMachines(t, e, nil)
		e.Set(http.StatusOK, good, nil, 0)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		e.ExpectCalls(t, 1, "at first")
		e.Set(http.StatusNotFound, nil, nil, 0) // revoked
		time.Sleep(OpaqueTTL - 1)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		e.ExpectCalls(t, 0, "while Clerk's word counts")
		time.Sleep(time.Nanosecond)
		expectState(t, m, testAPIKey, policy.SignedOut, policy.ReasonTokenInvalid)
		e.ExpectCalls(t, 1, "afterwards")
		e.Set(http.StatusOK, good, nil, 0)
		time.Sleep(rejectedFor - 1)
		expectState(t, m, testAPIKey, policy.SignedOut, policy.ReasonTokenInvalid)
		e.ExpectCalls(t, 0, "while Clerk's word against it counts")
		time.Sleep(time.Nanosecond)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		e.ExpectCalls(t, 1, "afterwards")
	})
}

func TestOpaqueTokensExpireWhileTheyAreRemembered(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, sessiontest.APIAnswer(t, policy.APIKey, object{"expiration": time.Now().Add(5 * time.Second).UnixMilli()}), nil, 0)
		m := testMachines(t, e, nil)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		time.Sleep(5*time.Second - time.Millisecond)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		time.Sleep(time.Millisecond)
		expectState(t, m, testAPIKey, policy.SignedOut, policy.ReasonTokenInvalid)
		e.ExpectCalls(t, 1, "in all")
	})
}

func TestOneCallIsMadeForATokenThatManyPresent(t *testing.T) {
	good := sessiontest.APIAnswer(t, policy.M2MToken, nil)
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, good, nil, time.Second)
		m := testMachines(t, e, nil)
		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() { expectState(t, m, testM2M, policy.SignedIn, "") })
		}
		waiting.Wait()
		e.ExpectCalls(t, 1, "for a hundred requests")
	})
}

func TestARequestThatEndsDoesNotEndTheCall(t *testing.T) {
	good := sessiontest.APIAnswer(t, policy.APIKey, nil)
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, good, nil, time.Second)
		m := testMachines(t, e, nil)
		brief, cancel := context.WithTimeout(t.Context(), time.Millisecond)
		defer cancel()
		got := m.authenticate(brief, netip.Addr{}, testAPIKey, anyToken, time.Now())
		if got.Status != policy.Unavailable || got.Reason != policy.ReasonCanceled || !errors.Is(got.Cause, context.DeadlineExceeded) {
			t.Errorf("%v for %s (%v)", got.Status, got.Reason, got.Cause)
		}
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		e.ExpectCalls(t, 1, "in all")
	})
}

// Errors of Clerk are not errors of the token, and the other way round.
func TestFaultsOfClerk(t *testing.T) {
	type verdict struct {
		status policy.AuthStatus
		reason policy.Reason
	}
	outage := verdict{policy.Unavailable, policy.ReasonClerkUnavailable}
	refusal := verdict{policy.SignedOut, policy.ReasonUnexpectedError}
	good := sessiontest.APIAnswer(t, policy.APIKey, nil)
	tests := []struct {
		name       string
		endpoint   *sessiontest.Endpoint
		want       verdict
		compat     verdict
		remembered bool
	}{
		{"unknown", &sessiontest.Endpoint{Status: 404}, verdict{policy.SignedOut, policy.ReasonTokenInvalid}, verdict{policy.SignedOut, policy.ReasonTokenInvalid}, true},
		{"unknown, in so many words", &sessiontest.Endpoint{Status: 404, Body: good}, verdict{policy.SignedOut, policy.ReasonTokenInvalid}, verdict{policy.SignedOut, policy.ReasonTokenInvalid}, true},
		{"malformed", &sessiontest.Endpoint{Status: 400}, refusal, refusal, true},
		{"forbidden", &sessiontest.Endpoint{Status: 403, Body: good}, refusal, refusal, true},
		{"unprocessable", &sessiontest.Endpoint{Status: 422}, refusal, refusal, true},
		{"our key is refused", &sessiontest.Endpoint{Status: 401}, verdict{policy.Unavailable, policy.ReasonSecretKeyInvalid}, verdict{policy.SignedOut, policy.ReasonSecretKeyInvalid}, false},
		{"too slow", &sessiontest.Endpoint{Status: 200, Body: good, Delay: time.Hour}, outage, refusal, false},
		{"timed out", &sessiontest.Endpoint{Status: 408}, outage, refusal, false},
		{"broken", &sessiontest.Endpoint{Status: 500, Body: good}, outage, refusal, false},
		{"away", &sessiontest.Endpoint{Status: 503}, outage, refusal, false},
		{"no content", &sessiontest.Endpoint{Status: 204}, outage, refusal, false},
		{"accepted for later", &sessiontest.Endpoint{Status: 202, Body: good}, outage, refusal, false},
		{"elsewhere", &sessiontest.Endpoint{Status: 302, Body: good}, outage, refusal, false},
		{"no network", &sessiontest.Endpoint{Err: errors.New("connection reset")}, outage, refusal, false},
		{"nothing", &sessiontest.Endpoint{Status: 200}, outage, refusal, false},
		{"a page", &sessiontest.Endpoint{Status: 200, Body: []byte("<html>")}, outage, refusal, false},
		{"two answers", &sessiontest.Endpoint{Status: 200, Body: append(bytes.Clone(good), good...)}, outage, refusal, false},
		{"a list", &sessiontest.Endpoint{Status: 200, Body: []byte(`[` + string(good) + `]`)}, outage, refusal, false},
		{"null", &sessiontest.Endpoint{Status: 200, Body: []byte(`null`)}, outage, refusal, false},
		{"a member twice", &sessiontest.Endpoint{Status: 200, Body: []byte(`{"revoked":true,"revoked":false,` + string(good[1:]))}, outage, refusal, false},
		{"a body without end", &sessiontest.Endpoint{Status: 200, Body: append(bytes.Repeat([]byte(" "), calls.MaxBody), good...)}, outage, refusal, false},
	}
	for _, tt := range tests {
		for mode, want := range map[string]verdict{"default": tt.want, "reference": tt.compat} {
			t.Run(tt.name+" "+mode, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					m := testMachines(t, tt.endpoint, func(c *testConfig) { c.ReferenceCompat = mode == "reference" })
					began := time.Now()
					expectState(t, m, testAPIKey, want.status, want.reason)
					if took := time.Since(began); took > calls.Timeout {
						t.Errorf("it took %v", took)
					}
					tt.endpoint.ExpectCalls(t, 1, "at first")
					expectState(t, m, testAPIKey, want.status, want.reason)
					again := int32(1)
					if tt.remembered {
						again = 0
					}
					tt.endpoint.ExpectCalls(t, again, "the second time")
				})
			})
		}
	}
}

func TestAnOutageForgetsNoGoodToken(t *testing.T) {
	good := sessiontest.APIAnswer(t, policy.APIKey, nil)
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, good, nil, 0)
		m := testMachines(t, e, nil)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		e.Set(http.StatusInternalServerError, nil, nil, 0)
		expectState(t, m, "ak_another", policy.Unavailable, policy.ReasonClerkUnavailable)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		time.Sleep(OpaqueTTL)
		expectState(t, m, testAPIKey, policy.Unavailable, policy.ReasonClerkUnavailable)
	})
}

// knowing answers that it knows one token and no other.
type knowing struct {
	token, answer string
	calls, most   atomic.Int32
	delay         time.Duration
	limited       bool
}

func (k *knowing) RoundTrip(r *http.Request) (*http.Response, error) {
	k.most.Store(max(k.most.Load(), k.calls.Add(1)))
	defer k.calls.Add(-1)
	time.Sleep(k.delay)
	var body map[string]string
	if err := json.NewDecoder(r.Body).Decode(&body); err != nil {
		return nil, err
	}
	status, answer, header := http.StatusNotFound, "{}", http.Header{}
	for _, token := range body {
		if token == k.token {
			status, answer = http.StatusOK, k.answer
		}
	}
	if k.limited {
		status = http.StatusTooManyRequests
		header.Set("Retry-After", "5")
	}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader([]byte(answer))), Request: r}, nil
}

func TestAFloodOfUnknownTokensIsBounded(t *testing.T) {
	good := string(sessiontest.APIAnswer(t, policy.APIKey, nil))
	synctest.Test(t, func(t *testing.T) {
		k := &knowing{token: testAPIKey, answer: good}
		m := testMachines(t, k, nil)
		from := netip.MustParseAddr("2001:db8::1")
		for i := range 4 * maxRejected { // slowly, so that Clerk is asked about each
			time.Sleep(calls.PauseOfOne)
			if got := m.authenticate(t.Context(), from, "ak_"+strconv.Itoa(i), anyToken, time.Now()); got.Reason != policy.ReasonTokenInvalid {
				t.Fatalf("%s, %v", got.Reason, got.Cause)
			}
		}
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		m.opaque.rejected.CleanUp()
		if got := m.opaque.rejected.EstimatedSize(); got > maxRejected {
			t.Errorf("%d unknown tokens are remembered, want at most %d", got, maxRejected)
		}
		if got := m.opaque.vouched.EstimatedSize(); got != 1 {
			t.Errorf("%d good tokens are remembered, want the one", got)
		}
		k.token = ""
		expectState(t, m, testAPIKey, policy.SignedIn, "") // without a call
	})
}

func TestClerkIsLeftAloneWhereItAsksForIt(t *testing.T) {
	good := string(sessiontest.APIAnswer(t, policy.APIKey, nil))
	synctest.Test(t, func(t *testing.T) {
		k := &knowing{token: testAPIKey, answer: good}
		m := testMachines(t, k, nil)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		k.limited = true
		expectState(t, m, "ak_b", policy.Unavailable, policy.ReasonClerkUnavailable)
		k.limited = false
		time.Sleep(5*time.Second - 1)
		expectState(t, m, "ak_b", policy.Unavailable, policy.ReasonClerkUnavailable)
		expectState(t, m, testAPIKey, policy.SignedIn, "")
		time.Sleep(time.Nanosecond)
		expectState(t, m, "ak_b", policy.SignedOut, policy.ReasonTokenInvalid)
	})
}

func TestTokensThatClerkDoesNotMakeCostNoCall(t *testing.T) {
	t.Parallel()
	e := &sessiontest.Endpoint{}
	m := testMachines(t, e, nil)
	for _, token := range []string{
		"ak_a.b.c", "mt_aaa.bbb.ccc", "ak_a b", "ak_a\n", "ak_\x00", "ak_ä", "ak_\xff", "oat_" + string(bytes.Repeat([]byte("a"), maxOpaque)),
		"ak_" + string(bytes.Repeat([]byte("a"), unverified.MaxSize)),
	} {
		expectState(t, m, token, policy.SignedOut, policy.ReasonTokenInvalid)
	}
	e.ExpectCalls(t, 0, "for tokens that are none")
}
