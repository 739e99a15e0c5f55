package failovertest

import (
	"context"
	"fmt"
	"io"
	"maps"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"
)

// The load: requests come whether or not those before are answered, and some at a time,
// so that there are checks under way when a node is lost.
const (
	perBurst = 10
	interval = 50 * time.Millisecond
	// patience is how long a client waits for an answer.
	patience = 10 * time.Second
)

// load asks an edge, and judges the answers.
type load struct {
	edge   string
	kinds  map[string]kind
	client *http.Client
	// burst tells that requests have just been sent, to whoever listens.
	burst chan struct{}
	// struck is when the fault came.
	struck time.Time
	// finish ends the load, and waits for all answers.
	finish func()
	done   sync.WaitGroup

	mu      sync.Mutex
	right   int
	wrong   []answer
	slowest time.Duration
	again   int
}

// answer is one that was not right.
type answer struct {
	at         time.Time
	kind, what string
	took       time.Duration
}

// startLoad asks until finish is called.
func startLoad(edge string, kinds map[string]kind) *load {
	l := &load{edge: edge, kinds: kinds, burst: make(chan struct{})}
	stop := make(chan struct{})
	l.client = &http.Client{
		Transport:     &http.Transport{MaxIdleConnsPerHost: 1000},
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
	l.finish = sync.OnceFunc(func() {
		close(stop)
		l.done.Wait()
		l.client.CloseIdleConnections()
	})
	l.done.Go(func() {
		names := slices.Sorted(maps.Keys(kinds))
		ticker := time.NewTicker(interval)
		defer ticker.Stop()
		for n := 0; ; {
			select {
			case <-stop:
				return
			case <-ticker.C:
			}
			for range perBurst {
				name := names[n%len(names)]
				n++
				l.done.Go(func() { l.ask(name) })
			}
			select {
			case l.burst <- struct{}{}:
			default:
			}
		}
	})
	return l
}

// strike does something while checks are under way.
func (l *load) strike(fault func()) {
	<-l.burst
	l.struck = time.Now()
	fault()
}

// ask sends one request. What did not get as far as the edge is the test's own trouble,
// and sent again.
func (l *load) ask(name string) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	began := time.Now()
	for {
		what, sent := l.exchange(ctx, name)
		if !sent && ctx.Err() == nil {
			l.mu.Lock()
			l.again++
			l.mu.Unlock()
			time.Sleep(time.Millisecond)
			continue
		}
		l.mu.Lock()
		defer l.mu.Unlock()
		took := time.Since(began)
		l.slowest = max(l.slowest, took)
		if what == "" {
			l.right++
		} else {
			l.wrong = append(l.wrong, answer{began, name, what, took})
		}
		return
	}
}

// exchange says what was wrong with an answer, and whether the edge was asked at all.
func (l *load) exchange(ctx context.Context, name string) (wrong string, sent bool) {
	k := l.kinds[name]
	var connected atomic.Bool
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GotConn: func(httptrace.GotConnInfo) { connected.Store(true) }})
	r, err := http.NewRequestWithContext(ctx, k.method, "http://"+l.edge+k.path, strings.NewReader(k.body))
	if err != nil {
		return err.Error(), true
	}
	r.Host = host
	r.Header.Set("Accept", "application/json")
	r.Header.Set(kindField, name)
	if k.token != "" {
		r.Header.Set("Authorization", "Bearer "+k.token)
	}
	response, err := l.client.Do(r)
	if err != nil {
		return err.Error(), connected.Load()
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	switch {
	case err != nil:
		return err.Error(), true
	case response.StatusCode != k.status:
		return fmt.Sprintf("%d in place of %d: %.100s", response.StatusCode, k.status, body), true
	case k.status == http.StatusOK && string(body) != k.user+"\n"+k.body:
		return fmt.Sprintf("the app answered %.100q", body), true
	}
	return "", true
}

// report logs what came of the load. Times are counted from the last fault.
func (l *load) report(t *testing.T) {
	t.Helper()
	t.Logf("%d answers right, %d not; the slowest took %v; %d sent again that had not reached the proxy", l.right, len(l.wrong), l.slowest.Round(time.Millisecond), l.again)
	for i, a := range l.wrong {
		if i == 20 {
			t.Logf("and %d more, the last %v after the fault", len(l.wrong)-i, l.wrong[len(l.wrong)-1].at.Sub(l.struck))
			break
		}
		t.Logf("%v after the fault, %s: %s, after %v", a.at.Sub(l.struck).Round(time.Millisecond), a.kind, a.what, a.took.Round(time.Millisecond))
	}
}
