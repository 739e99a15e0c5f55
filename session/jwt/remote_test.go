package jwt

import (
	"bytes"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

func remoteKeys(t *testing.T, e *sessiontest.Endpoint) *RemoteKeySet {
	t.Helper()
	r, err := NewRemoteKeySet(RemoteKeys{URL: "https://api.clerk.com/v1/jwks", SecretKey: "sk_test", HTTPClient: &http.Client{Transport: e}})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(r.Close)
	return r
}

func expectKey(t *testing.T, r *RemoteKeySet, kid string, want error) {
	t.Helper()
	key, err := r.Key(t.Context(), kid, time.Now())
	if !errors.Is(err, want) || (key == nil) == (err == nil) {
		t.Errorf("key %q: %v, %v; want %v", kid, key, err, want)
	}
}

func keyA() object { return mint.JWK("ins_a", &mint.SigningKey().PublicKey) }
func keyB() object { return mint.JWK("ins_b", &mint.OtherKey().PublicKey) }

func TestRemoteKeySetFetchesOnceForAllWhoWait(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, mint.KeySet(t, a), nil, time.Second)
		r := remoteKeys(t, e)
		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() { expectKey(t, r, "ins_a", nil) })
		}
		waiting.Wait()
		e.ExpectCalls(t, 1, "for a hundred tokens at once")
		if got := e.Last.Header.Get("Authorization"); got != "Bearer sk_test" {
			t.Errorf("the secret key goes along as %q", got)
		}
		for range 100 {
			expectKey(t, r, "ins_a", nil)
		}
		e.ExpectCalls(t, 0, "for a known key")
	})
}

func TestRemoteKeySetBoundsFetchesForUnknownKeys(t *testing.T) {
	a, b := keyA(), keyB()
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Serve(t, a)
		r := remoteKeys(t, e)
		expectKey(t, r, "ins_a", nil)
		e.ExpectCalls(t, 1, "at first")
		for i := range 1000 {
			expectKey(t, r, "ins_"+strconv.Itoa(i), ErrUnknownKey)
			time.Sleep(9 * time.Millisecond)
		}
		e.ExpectCalls(t, 0, "within ten seconds")
		e.Serve(t, a, b)
		time.Sleep(time.Second)
		expectKey(t, r, "ins_b", nil)
		e.ExpectCalls(t, 1, "after ten seconds")
		expectKey(t, r, "ins_a", nil)
		expectKey(t, r, "", ErrUnknownKey)
		time.Sleep(time.Minute)
		expectKey(t, r, "", ErrUnknownKey)
		e.ExpectCalls(t, 0, "for a token that names no key")
	})
}

func TestRemoteKeySetDoesNotHammerABrokenEndpoint(t *testing.T) {
	a := keyA()
	broken := map[string]func(*sessiontest.Endpoint){
		"no answer":    func(e *sessiontest.Endpoint) { e.Set(0, nil, errors.New("refused"), 0) },
		"an error":     func(e *sessiontest.Endpoint) { e.Set(http.StatusServiceUnavailable, []byte("busy"), nil, 0) },
		"a refusal":    func(e *sessiontest.Endpoint) { e.Set(http.StatusUnauthorized, []byte("{}"), nil, 0) },
		"a redirect":   func(e *sessiontest.Endpoint) { e.Set(http.StatusFound, nil, nil, 0) },
		"garbage":      func(e *sessiontest.Endpoint) { e.Set(http.StatusOK, []byte("<html>"), nil, 0) },
		"an empty set": func(e *sessiontest.Endpoint) { e.Set(http.StatusOK, []byte(`{"keys":[]}`), nil, 0) },
		"too long an answer": func(e *sessiontest.Endpoint) {
			e.Set(http.StatusOK, bytes.Repeat([]byte(" "), calls.MaxBody+1), nil, 0)
		},
		"silence": func(e *sessiontest.Endpoint) { e.Set(http.StatusOK, nil, nil, time.Hour) },
	}
	for name, breakIt := range broken {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &sessiontest.Endpoint{}
				breakIt(e)
				r := remoteKeys(t, e)
				began := time.Now()
				for range 50 {
					expectKey(t, r, "ins_a", ErrKeysUnavailable)
				}
				e.ExpectCalls(t, 1, "within ten seconds")
				if took := time.Since(began); took > calls.Timeout {
					t.Errorf("waiting took %v", took)
				}
				if r.Ready() {
					t.Error("ready without keys")
				}
				if fetched, err := r.LastFetch(); !fetched.IsZero() || err == nil {
					t.Errorf("the last fetch: %v, %v", fetched, err)
				}
				time.Sleep(fetchFloor)
				e.Serve(t, a)
				expectKey(t, r, "ins_a", nil)
				if !r.Ready() {
					t.Error("not ready with keys")
				}
				well, err := r.LastFetch()
				if well.IsZero() || err != nil {
					t.Errorf("the last fetch: %v, %v", well, err)
				}

				time.Sleep(fetchFloor)
				breakIt(e)
				expectKey(t, r, "ins_new", ErrKeysUnavailable)
				expectKey(t, r, "ins_a", nil)
				if fetched, err := r.LastFetch(); !fetched.Equal(well) || err == nil {
					t.Errorf("the last fetch: %v, %v", fetched, err)
				}
			})
		})
	}
}

func TestRemoteKeySetLetsTheImpatientGo(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusOK, mint.KeySet(t, a), nil, 2*time.Second)
		r := remoteKeys(t, e)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Key(impatient, "ins_a", time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient got %v", err)
		}
		expectKey(t, r, "ins_a", nil)
		e.ExpectCalls(t, 1, "for one who left and one who stayed")
	})
}

func TestRemoteKeySetKeepsKeysThroughAnOutage(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Serve(t, a)
		r := remoteKeys(t, e)
		r.Start(t.Context())
		synctest.Wait()
		e.Set(http.StatusBadGateway, nil, nil, 0)
		time.Sleep(23 * time.Hour)
		expectKey(t, r, "ins_a", nil)
		if age, ok := r.Age(time.Now()); !ok || age != 23*time.Hour {
			t.Errorf("age %v, %v", age, ok)
		}
		time.Sleep(2 * time.Hour)
		expectKey(t, r, "ins_a", ErrKeysUnavailable)
		if r.Ready() {
			t.Error("ready with keys that are too old")
		}
		e.Serve(t, a)
		time.Sleep(time.Minute)
		expectKey(t, r, "ins_a", nil)
		r.Close()
	})
}

func TestRemoteKeySetForgetsKeysThatWereRemoved(t *testing.T) {
	a, b := keyA(), keyB()
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Serve(t, a, b)
		r := remoteKeys(t, e)
		r.Start(t.Context())
		synctest.Wait()
		expectKey(t, r, "ins_a", nil)
		e.Serve(t, b)
		time.Sleep(refreshEvery + refreshEvery/jitterPortion)
		expectKey(t, r, "ins_a", ErrUnknownKey)
		expectKey(t, r, "ins_b", nil)
		r.Close()
	})
}

func TestRemoteKeySetBacksOffWhenTheFirstFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Set(http.StatusBadGateway, nil, nil, 0)
		r := remoteKeys(t, e)
		r.Start(t.Context())
		synctest.Wait()
		e.ExpectCalls(t, 1, "at once")
		time.Sleep(4 * time.Second) // after about 0.5, 1.5 and 3.5 s
		synctest.Wait()
		if calls := e.Calls.Swap(0); calls < 2 || calls > 4 {
			t.Errorf("%d calls in four seconds", calls)
		}
		time.Sleep(time.Minute) // let the pauses grow
		synctest.Wait()
		e.Calls.Store(0)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if calls := e.Calls.Swap(0); calls < 18 || calls > 23 {
			t.Errorf("%d calls in ten minutes", calls)
		}
		r.Close()
	})
}

func TestRemoteKeySetStopsWithItsContext(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &sessiontest.Endpoint{}
		e.Serve(t, a)
		r := remoteKeys(t, e)
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		e.Calls.Store(0)
		time.Sleep(time.Hour)
		e.ExpectCalls(t, 0, "after the end")
	})
}

func TestRemoteKeySetWantsHTTPS(t *testing.T) {
	t.Parallel()
	for _, url := range []string{"http://api.clerk.com/v1/jwks", "ftp://127.0.0.1/", "", "https://user:pass@api.clerk.com/", "https:///v1/jwks"} {
		if _, err := NewRemoteKeySet(RemoteKeys{URL: url}); err == nil || strings.Contains(err.Error(), "sk_") {
			t.Errorf("%q: %v", url, err)
		}
	}
}
