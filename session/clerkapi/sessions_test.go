package clerkapi

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

func testSessions(t *testing.T, e *sessiontest.Endpoint) *Sessions {
	t.Helper()
	s, err := NewSessions(Access{URL: "https://api.clerk.com", SecretKey: "sk_live_x", HTTPClient: &http.Client{Transport: e}})
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func sessionAnswer(id string, began time.Time) []byte {
	return fmt.Appendf(nil, `{"object":"session","id":%q,"status":"active","created_at":%d}`, id, began.UnixMilli())
}

func TestSessionsAsksOnceForEachSession(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, sessionAnswer("sess_a", now), nil, time.Second)
		s := testSessions(t, e)
		var waiting sync.WaitGroup
		for range 20 {
			waiting.Go(func() {
				if got, err := s.CreatedAt(t.Context(), "sess_a"); err != nil || !got.Equal(now) {
					t.Errorf("%v, %v", got, err)
				}
			})
		}
		waiting.Wait()
		if _, err := s.CreatedAt(t.Context(), "sess_a"); err != nil {
			t.Error(err)
		}
		e.ExpectCalls(t, 1, "for one session")
		if got := e.Last.URL.String(); got != "https://api.clerk.com/v1/sessions/sess_a" {
			t.Errorf("asked %s", got)
		}
		if got := e.Last.Header.Get("Authorization"); got != "Bearer sk_live_x" {
			t.Errorf("the secret key goes along as %q", got)
		}
	})
}

func TestSessionsRefusesIDsThatCouldNameSomethingElse(t *testing.T) {
	t.Parallel()
	e := &sessiontest.Endpoint{}
	s := testSessions(t, e)
	for _, id := range []string{"", "sess_", "user_1", "../users/user_1", "sess_a/../../users", "sess_a?b=c", "sess_a%2f", "sess_a\n", "sess_ä", "sess_" + strings.Repeat("a", 200)} {
		if _, err := s.CreatedAt(t.Context(), id); err == nil {
			t.Errorf("%q is asked for", id)
		}
	}
	e.ExpectCalls(t, 0, "for what is no session")
}

func TestSessionsKeepsNoFailures(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		s := testSessions(t, e)
		broken := []func(){
			func() { e.Set(http.StatusNotFound, []byte(`{"errors":[{"code":"resource_not_found"}]}`), nil, 0) },
			func() { e.Set(http.StatusBadGateway, []byte("<html>secret page"), nil, 0) },
			func() { e.Set(http.StatusFound, nil, nil, 0) },
			func() { e.Set(http.StatusOK, sessionAnswer("sess_b", now), nil, 0) },
			func() { e.Set(http.StatusOK, []byte(`{"id":"sess_a"}`), nil, 0) },
			func() { e.Set(0, nil, errors.New("refused"), 0) },
			func() { e.Set(http.StatusOK, nil, nil, time.Hour) },
		}
		for i, breakIt := range broken {
			breakIt()
			got, err := s.CreatedAt(t.Context(), "sess_a")
			if err == nil || !got.IsZero() || strings.Contains(err.Error(), "secret") {
				t.Errorf("answer %d: %v, %v", i, got, err)
			}
		}
		e.Set(http.StatusOK, sessionAnswer("sess_a", now), nil, 0)
		if got, err := s.CreatedAt(t.Context(), "sess_a"); err != nil || !got.Equal(now) {
			t.Errorf("%v, %v", got, err)
		}
	})
}

func TestSessionsLetsTheImpatientGo(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, sessionAnswer("sess_a", now), nil, 2*time.Second)
		s := testSessions(t, e)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := s.CreatedAt(ctx, "sess_a"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient got %v", err)
		}
		if got, err := s.CreatedAt(t.Context(), "sess_a"); err != nil || !got.Equal(now) {
			t.Errorf("%v, %v", got, err)
		}
		e.ExpectCalls(t, 1, "for one who left and one who stayed")
	})
}

func TestSessionsNeedsTheSecretKey(t *testing.T) {
	t.Parallel()
	if _, err := NewSessions(Access{URL: "https://api.clerk.com"}); err == nil {
		t.Error("there is no key to ask with")
	}
}
