package service

import (
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/session"
)

// part is a part of a service by its name.
func part(t *testing.T, s *Service, name string) Part {
	t.Helper()
	r := s.Readiness()
	for _, p := range r.Parts {
		if p.Name == name {
			return p
		}
	}
	t.Fatalf("there is no %s in %s", name, r)
	return Part{}
}

// Whoever looks is told what is missing, and why.
func TestReadinessSaysWhatIsMissing(t *testing.T) {
	t.Parallel()
	clerk := clerktest.Start(t, clerktest.Options{})
	clerk.Break("GET /v1/jwks", clerktest.Fault{Status: http.StatusUnauthorized})
	redis := testredis.Start(t)
	redis.Stop(t)
	path := filepath.Join(t.TempDir(), "clerkgate.yaml")
	write(t, path, fmt.Sprintf("clerk: {publishable_key: %s, secret_key: %s, api_url: %s}\nredis: {url: \"redis://:the-password@%s\"}\n",
		clerk.PublishableKey(), clerk.SecretKey(), clerk.URL(), redis.Addr))
	s, err := Open(path, Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer s.Close()
	eventually(t, "the reason for the lack of keys", func() bool {
		p := part(t, s, "keys")
		return p.State == PartNotReady && strings.Contains(p.Detail, "the secret key is not taken") && strings.Contains(p.Detail, "Clerk answered 401")
	})
	eventually(t, "the reason for the lack of Redis", func() bool {
		p := part(t, s, "redis")
		return p.State == PartWarning && strings.Contains(p.Detail, "connection refused")
	})
	r := s.Readiness()
	if missing := r.NotReady(); r.Ready || s.Ready() || len(missing) != 2 || missing[0].Name != "keys" || missing[1].Name != "revocations" {
		t.Errorf("got %s", r)
	}
	if text := r.String(); !strings.HasPrefix(text, "[+]document ok: hash ") || !strings.HasSuffix(text, "\nnot ready\n") || !strings.Contains(text, "\n[-]keys not ready: ") || !strings.Contains(text, "\n[!]redis warning: ") {
		t.Errorf("got %s", text)
	}
	for _, secret := range []string{clerk.SecretKey(), "the-password"} {
		if strings.Contains(r.String(), secret) {
			t.Errorf("a secret is in %s", r)
		}
	}

	clerk.Mend()
	redis.Start(t)
	eventually(t, "readiness", s.Ready)
	eventually(t, "Redis", func() bool { return part(t, s, "redis").State == PartOK })
	if r := s.Readiness(); !r.Ready || len(r.NotReady()) > 0 || strings.Count(r.String(), "[+]") != 4 {
		t.Errorf("got %s", r)
	}
	if r := s.Readiness().With(Part{Name: "serving", State: PartNotReady}); r.Ready || !strings.Contains(r.String(), "[-]serving not ready\n") {
		t.Errorf("got %s", r)
	}

	// Without Redis a process that was ready goes on, and says so.
	redis.Stop(t)
	eventually(t, "the loss", func() bool {
		return part(t, s, "redis").State == PartWarning && part(t, s, "revocations").State == PartWarning
	})
	if r := s.Readiness(); !r.Ready {
		t.Errorf("got %s", r)
	}
}

// A service that nobody opened is not ready, and says so.
func TestNothingIsNotReady(t *testing.T) {
	t.Parallel()
	if r := new(Service).Readiness(); r.Ready || len(r.NotReady()) != 1 {
		t.Errorf("got %s", r)
	}
}

func TestKeysAreDescribed(t *testing.T) {
	t.Parallel()
	at, failed := time.Date(2026, 1, 2, 3, 4, 5, 0, time.UTC), errors.New("first\nsecond")
	for _, c := range []struct {
		keys  session.Keys
		ready bool
		want  string
	}{
		{session.Keys{Configured: true}, true, "[+]keys ok: those of the document"},
		{session.Keys{}, false, "[-]keys not ready: they are being fetched"},
		{session.Keys{Err: failed}, false, "[-]keys not ready: first"},
		{session.Keys{Fetched: at}, true, "[+]keys ok: fetched at 2026-01-02T03:04:05Z"},
		{session.Keys{Fetched: at, Err: failed}, true, "[!]keys warning: those of 2026-01-02T03:04:05Z are used: first"},
		{session.Keys{Fetched: at, Err: failed}, false, "[-]keys not ready: first"},
		{session.Keys{Err: errors.New(strings.Repeat("ä", 1000))}, false, "[-]keys not ready: " + strings.Repeat("ä", 300) + "..."},
		{session.Keys{Err: errors.New("bad key sk_live_abcdef0123")}, false, "[-]keys not ready: bad key sk_live_[redacted]"},
	} {
		if got := keysPart(c.keys, c.ready).String(); got != c.want {
			t.Errorf("got %q, want %q", got, c.want)
		}
	}
}
