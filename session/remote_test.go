package session

import (
	"bytes"
	"context"
	"errors"
	"io"
	"net/http"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"
)

// endpoint is a key set's address that answers in memory.
type endpoint struct {
	mu     sync.Mutex
	status int
	body   []byte
	err    error
	delay  time.Duration
	calls  atomic.Int32
	last   *http.Request
}

func (e *endpoint) RoundTrip(r *http.Request) (*http.Response, error) {
	e.calls.Add(1)
	e.mu.Lock()
	status, body, err, delay := e.status, e.body, e.err, e.delay
	e.last = r
	e.mu.Unlock()
	select {
	case <-time.After(delay):
	case <-r.Context().Done():
		return nil, r.Context().Err()
	}
	if err != nil {
		return nil, err
	}
	header := http.Header{"Location": {"https://elsewhere.example.com/"}}
	return &http.Response{StatusCode: status, Header: header, Body: io.NopCloser(bytes.NewReader(body)), Request: r}, nil
}

// serve answers with these keys from now on.
func (e *endpoint) serve(t *testing.T, keys ...object) {
	t.Helper()
	e.set(http.StatusOK, keySetOf(t, keys...), nil, 0)
}

func (e *endpoint) set(status int, body []byte, err error, delay time.Duration) {
	e.mu.Lock()
	defer e.mu.Unlock()
	e.status, e.body, e.err, e.delay = status, body, err, delay
}

// expectCalls compares the number of calls since the last time.
func (e *endpoint) expectCalls(t *testing.T, want int32, when string) {
	t.Helper()
	if got := e.calls.Swap(0); got != want {
		t.Errorf("%d calls %s, want %d", got, when, want)
	}
}

func remoteKeys(t *testing.T, e *endpoint) *RemoteKeySet {
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

func keyA() object { return jwkOf("ins_a", &signingKey().PublicKey) }
func keyB() object { return jwkOf("ins_b", &otherKey().PublicKey) }

func TestRemoteKeySetFetchesOnceForAllWhoWait(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.set(http.StatusOK, keySetOf(t, a), nil, time.Second)
		r := remoteKeys(t, e)
		var waiting sync.WaitGroup
		for range 100 {
			waiting.Go(func() { expectKey(t, r, "ins_a", nil) })
		}
		waiting.Wait()
		e.expectCalls(t, 1, "for a hundred tokens at once")
		if got := e.last.Header.Get("Authorization"); got != "Bearer sk_test" {
			t.Errorf("the secret key goes along as %q", got)
		}
		for range 100 {
			expectKey(t, r, "ins_a", nil)
		}
		e.expectCalls(t, 0, "for a known key")
	})
}

func TestRemoteKeySetBoundsFetchesForUnknownKeys(t *testing.T) {
	a, b := keyA(), keyB()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.serve(t, a)
		r := remoteKeys(t, e)
		expectKey(t, r, "ins_a", nil)
		e.expectCalls(t, 1, "at first")
		for i := range 1000 {
			expectKey(t, r, "ins_"+strconv.Itoa(i), ErrUnknownKey)
			time.Sleep(9 * time.Millisecond)
		}
		e.expectCalls(t, 0, "within ten seconds")
		e.serve(t, a, b)
		time.Sleep(time.Second)
		expectKey(t, r, "ins_b", nil)
		e.expectCalls(t, 1, "after ten seconds")
		expectKey(t, r, "ins_a", nil)
		expectKey(t, r, "", ErrUnknownKey)
		time.Sleep(time.Minute)
		expectKey(t, r, "", ErrUnknownKey)
		e.expectCalls(t, 0, "for a token that names no key")
	})
}

func TestRemoteKeySetDoesNotHammerABrokenEndpoint(t *testing.T) {
	a := keyA()
	broken := map[string]func(*endpoint){
		"no answer":          func(e *endpoint) { e.set(0, nil, errors.New("refused"), 0) },
		"an error":           func(e *endpoint) { e.set(http.StatusServiceUnavailable, []byte("busy"), nil, 0) },
		"a refusal":          func(e *endpoint) { e.set(http.StatusUnauthorized, []byte("{}"), nil, 0) },
		"a redirect":         func(e *endpoint) { e.set(http.StatusFound, nil, nil, 0) },
		"garbage":            func(e *endpoint) { e.set(http.StatusOK, []byte("<html>"), nil, 0) },
		"an empty set":       func(e *endpoint) { e.set(http.StatusOK, []byte(`{"keys":[]}`), nil, 0) },
		"too long an answer": func(e *endpoint) { e.set(http.StatusOK, bytes.Repeat([]byte(" "), maxBody+1), nil, 0) },
		"silence":            func(e *endpoint) { e.set(http.StatusOK, nil, nil, time.Hour) },
	}
	for name, breakIt := range broken {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				e := &endpoint{}
				breakIt(e)
				r := remoteKeys(t, e)
				began := time.Now()
				for range 50 {
					expectKey(t, r, "ins_a", ErrKeysUnavailable)
				}
				e.expectCalls(t, 1, "within ten seconds")
				if took := time.Since(began); took > callTimeout {
					t.Errorf("waiting took %v", took)
				}
				if r.Ready() {
					t.Error("ready without keys")
				}
				time.Sleep(fetchFloor)
				e.serve(t, a)
				expectKey(t, r, "ins_a", nil)
				if !r.Ready() {
					t.Error("not ready with keys")
				}

				time.Sleep(fetchFloor)
				breakIt(e)
				expectKey(t, r, "ins_new", ErrKeysUnavailable)
				expectKey(t, r, "ins_a", nil)
			})
		})
	}
}

func TestRemoteKeySetLetsTheImpatientGo(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.set(http.StatusOK, keySetOf(t, a), nil, 2*time.Second)
		r := remoteKeys(t, e)
		impatient, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := r.Key(impatient, "ins_a", time.Now()); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("the impatient got %v", err)
		}
		expectKey(t, r, "ins_a", nil)
		e.expectCalls(t, 1, "for one who left and one who stayed")
	})
}

func TestRemoteKeySetKeepsKeysThroughAnOutage(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.serve(t, a)
		r := remoteKeys(t, e)
		r.Start(t.Context())
		synctest.Wait()
		e.set(http.StatusBadGateway, nil, nil, 0)
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
		e.serve(t, a)
		time.Sleep(time.Minute)
		expectKey(t, r, "ins_a", nil)
		r.Close()
	})
}

func TestRemoteKeySetForgetsKeysThatWereRemoved(t *testing.T) {
	a, b := keyA(), keyB()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.serve(t, a, b)
		r := remoteKeys(t, e)
		r.Start(t.Context())
		synctest.Wait()
		expectKey(t, r, "ins_a", nil)
		e.serve(t, b)
		time.Sleep(refreshEvery + refreshEvery/jitterPortion)
		expectKey(t, r, "ins_a", ErrUnknownKey)
		expectKey(t, r, "ins_b", nil)
		r.Close()
	})
}

func TestRemoteKeySetBacksOffWhenTheFirstFetchFails(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.set(http.StatusBadGateway, nil, nil, 0)
		r := remoteKeys(t, e)
		r.Start(t.Context())
		synctest.Wait()
		e.expectCalls(t, 1, "at once")
		time.Sleep(4 * time.Second) // after about 0.5, 1.5 and 3.5 s
		synctest.Wait()
		if calls := e.calls.Swap(0); calls < 2 || calls > 4 {
			t.Errorf("%d calls in four seconds", calls)
		}
		time.Sleep(time.Minute) // let the pauses grow
		synctest.Wait()
		e.calls.Store(0)
		time.Sleep(10 * time.Minute)
		synctest.Wait()
		if calls := e.calls.Swap(0); calls < 18 || calls > 23 {
			t.Errorf("%d calls in ten minutes", calls)
		}
		r.Close()
	})
}

func TestRemoteKeySetStopsWithItsContext(t *testing.T) {
	a := keyA()
	synctest.Test(t, func(t *testing.T) {
		e := &endpoint{}
		e.serve(t, a)
		r := remoteKeys(t, e)
		ctx, cancel := context.WithCancel(t.Context())
		r.Start(ctx)
		synctest.Wait()
		cancel()
		synctest.Wait()
		e.calls.Store(0)
		time.Sleep(time.Hour)
		e.expectCalls(t, 0, "after the end")
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
