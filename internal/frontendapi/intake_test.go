package frontendapi

import (
	"bufio"
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"golang.org/x/sync/errgroup"
)

// serving is a proxy on a server, with an upstream that counts what reaches it.
type serving struct {
	*httptest.Server
	reached atomic.Int32
}

func serve(t *testing.T, answer http.HandlerFunc) *serving {
	t.Helper()
	s := newServing(t, answer)
	s.Start()
	return s
}

func newServing(t *testing.T, answer http.HandlerFunc) *serving {
	t.Helper()
	s := &serving{}
	w := newWorld(t, func(rw http.ResponseWriter, r *http.Request) {
		s.reached.Add(1)
		answer(rw, r)
	}, nil)
	s.Server = httptest.NewUnstartedServer(w)
	t.Cleanup(func() { s.Close() })
	return s
}

// measure answers with the length of what arrived.
func measure(rw http.ResponseWriter, r *http.Request) {
	n, err := io.Copy(io.Discard, r.Body)
	fmt.Fprintf(rw, "%d bytes of %d, %v", n, r.ContentLength, err)
}

// ask makes an ordinary request on a connection of its own, and reports how long
// it took.
func (s *serving) ask(t *testing.T, method string, body io.Reader) (status int, text string, took time.Duration) {
	t.Helper()
	transport := s.Client().Transport.(*http.Transport).Clone()
	defer transport.CloseIdleConnections()
	r, err := http.NewRequestWithContext(t.Context(), method, s.URL+"/__clerk/v1/client", body)
	if err != nil {
		t.Fatal(err)
	}
	r.Host = "app.example.com"
	began := time.Now()
	response, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	all, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(all), time.Since(began)
}

// slow sends a piece of a body on a connection, and no more of it. The answer, if
// there is one, is sent to answers.
func (s *serving) slow(t *testing.T, fields, piece string, answers chan<- string) {
	t.Helper()
	conn, err := net.Dial("tcp", s.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	fmt.Fprintf(conn, "POST /__clerk/v1/client HTTP/1.1\r\nHost: app.example.com\r\n%s\r\n\r\n%s", fields, piece)
	go func() {
		reader := bufio.NewReader(conn)
		line, _ := reader.ReadString('\n')
		if strings.Contains(line, " 100 ") {
			_, _ = reader.ReadString('\n')
			line, _ = reader.ReadString('\n')
		}
		answers <- line
	}()
}

// Whoever sends bodies slowly, over whatever protocol, holds no connection to
// Clerk, and nobody up, whether they come from another address or the same.
func TestSlowBodiesHoldNobodyUp(t *testing.T) {
	t.Parallel()
	const many = 300
	for name, c := range map[string]struct{ fields, piece string }{
		"a length":          {"Content-Length: 1000000", "x"},
		"a small length":    {"Content-Length: 10", "x"},
		"nothing at all":    {"Content-Length: 10", ""},
		"chunks":            {"Transfer-Encoding: chunked", "1\r\nx\r\n"},
		"first more":        {"Content-Length: 1000000", strings.Repeat("x", 100_000)},
		"an expectation":    {"Content-Length: 10\r\nExpect: 100-continue", ""},
		"more than is read": {"Content-Length: 10485760", "x"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := serve(t, measure)
			answers := make(chan string, many)
			for range many {
				s.slow(t, c.fields, c.piece, answers)
			}
			expectPrompt(t, s)
			if n := s.reached.Load(); n != 3 {
				t.Errorf("%d requests reached Clerk, want the three whole ones", n)
			}
			if name != "a length" { // one kind is enough to wait for
				return
			}
			deadline := time.After(2 * pieceTimeout)
			for range many {
				select {
				case answer := <-answers:
					if !strings.Contains(answer, " 503 ") && !strings.Contains(answer, " 408 ") {
						t.Fatalf("a slow request is answered %q", answer)
					}
				case <-deadline:
					t.Fatal("a slow request is not answered")
				}
			}
		})
	}
}

// expectPrompt asks for something with and without a body.
func expectPrompt(t *testing.T, s *serving) {
	t.Helper()
	for _, c := range []struct{ method, body, want string }{
		{"GET", "", "0 bytes of 0, <nil>"}, {"POST", "a=b", "3 bytes of 3, <nil>"}, {"POST", strings.Repeat("x", 60<<10), "61440 bytes of 61440, <nil>"},
	} {
		status, text, took := s.ask(t, c.method, strings.NewReader(c.body))
		if status != http.StatusOK || text != c.want || took > time.Second {
			t.Errorf("%s of %d bytes: %d %s after %v", c.method, len(c.body), status, text, took)
		}
	}
}

// One connection of HTTP/2 has many streams.
func TestSlowStreamsHoldNobodyUp(t *testing.T) {
	t.Parallel()
	s := newServing(t, measure)
	s.EnableHTTP2 = true
	s.StartTLS()
	ctx, stop := context.WithCancel(t.Context())
	defer stop()
	first, err := s.Client().Get(s.URL + "/__clerk/v1/client") // there is a connection to share
	if err != nil || first.ProtoMajor != 2 {
		t.Fatal(err)
	}
	first.Body.Close()
	var started atomic.Int32
	for range 240 {
		body, write := io.Pipe()
		r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.URL+"/__clerk/v1/client", body)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "app.example.com"
		go func() { _, _ = write.Write([]byte("x")); started.Add(1) }()
		go func() {
			if response, err := s.Client().Do(r); err == nil {
				response.Body.Close()
			}
		}()
	}
	for started.Load() < 200 {
		time.Sleep(time.Millisecond)
	}
	expectPrompt(t, s)
}

// A slow Clerk is waited for by so many, and the others are told at once.
func TestWhereClerkIsSlowTheOthersAreToldAtOnce(t *testing.T) {
	t.Parallel()
	release := make(chan struct{})
	s := serve(t, func(http.ResponseWriter, *http.Request) { <-release })
	var waiting errgroup.Group
	for range maxConnsOf {
		waiting.Go(func() error { s.ask(t, "GET", nil); return nil })
	}
	for s.reached.Load() < maxConnsOf {
		time.Sleep(time.Millisecond)
	}
	status, text, took := s.ask(t, "POST", strings.NewReader("a=b"))
	if status != http.StatusServiceUnavailable || !strings.Contains(text, codeRequest) || took > time.Second {
		t.Errorf("%d %s after %v", status, text, took)
	}
	close(release)
	_ = waiting.Wait()
	if status, _, _ := s.ask(t, "GET", nil); status != http.StatusOK {
		t.Errorf("afterwards: %d", status)
	}
}

// A picture passes, up to the bound, and is all there before Clerk hears of it.
func TestUploadsPassWhole(t *testing.T) {
	t.Parallel()
	s := serve(t, measure)
	for _, size := range []int{smallBody - 1, smallBody, smallBody + 1, 1 << 20, maxBody} {
		if status, text, _ := s.ask(t, "POST", bytes.NewReader(make([]byte, size))); status != http.StatusOK || text != fmt.Sprintf("%d bytes of %d, <nil>", size, size) {
			t.Errorf("%d bytes: %d %s", size, status, text)
		}
	}
	for _, body := range []io.Reader{bytes.NewReader(make([]byte, maxBody+1)), io.LimitReader(zeros{}, maxBody+1)} {
		if status, _, _ := s.ask(t, "POST", body); status != http.StatusRequestEntityTooLarge {
			t.Errorf("too much: %d", status)
		}
	}
	if n := s.reached.Load(); n != 5 {
		t.Errorf("%d requests reached Clerk", n)
	}
}

// Bounds hold in all and for each network, and what is given back can be had
// again.
func TestSlotsAreBounded(t *testing.T) {
	t.Parallel()
	s := newSlots(3, 2)
	a, b, c := netip.MustParsePrefix("192.0.2.1/32"), netip.MustParsePrefix("2001:db8::/64"), netip.Prefix{}
	for i, step := range []struct {
		from netip.Prefix
		want bool
	}{{a, true}, {a, true}, {a, false}, {b, true}, {b, false}, {c, false}} {
		if got := s.acquire(step.from); got != step.want {
			t.Errorf("step %d: %v", i, got)
		}
	}
	s.release(a)
	if !s.acquire(c) || s.acquire(c) {
		t.Error("what was given back cannot be had again, or twice")
	}
	s.release(a)
	s.release(b)
	s.release(c)
	if s.used != 0 || len(s.byNetwork) != 0 {
		t.Errorf("%d are taken, of %d networks", s.used, len(s.byNetwork))
	}
}

// Fields that name another method, path, host or identity pass neither to Clerk
// nor back, before the body or after it.
func TestNoFieldNamesAnotherMethodPathOrIdentity(t *testing.T) {
	t.Parallel()
	forged := []string{"X-HTTP-Method-Override", "X-HTTP-Method", "X-Method-Override", "X-Original-URL", "X-Rewrite-URL", "X-Forwarded-Prefix",
		"X_HTTP_Method_Override", "X-User-Id", "x_user_id", "X-Org-Role", "X-Clerk-Auth-Status", "X-Accel-Redirect", "X-Middleware-Rewrite"}
	for _, late := range []bool{false, true} {
		w := newWorld(t, func(rw http.ResponseWriter, _ *http.Request) {
			if late {
				rw.Header().Set("Trailer", "X-User-Id, X-Kept")
			}
			for _, name := range forged {
				if late {
					name = http.TrailerPrefix + name
				}
				rw.Header()[name] = []string{"forged"}
			}
			_, _ = io.WriteString(rw, "answer")
			if late {
				rw.Header().Set("X-User-Id", "forged")
				rw.Header().Set("X-Kept", "yes")
			}
		}, nil)
		server := httptest.NewServer(w)
		t.Cleanup(server.Close)
		r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/__clerk/v1/client", strings.NewReader("a=b"))
		if err != nil {
			t.Fatal(err)
		}
		r.Host = "app.example.com"
		for _, name := range forged {
			r.Header[name] = []string{"forged"}
		}
		r.Trailer = http.Header{"X-User-Id": {"forged"}}
		r.ContentLength = -1
		response, err := server.Client().Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err != nil || string(body) != "answer" {
			t.Fatalf("%q, %v", body, err)
		}
		if text := fmt.Sprint(response.Header, response.Trailer, w.last().Header, w.last().Trailer); strings.Contains(text, "forged") || len(response.Trailer) > 0 {
			t.Errorf("late %v: %s", late, text)
		}
	}
}

// The picture of a slow client does not keep the body of a fast one from being
// read: the oldest gives way, of the same network first.
func TestTheOldestGivesWay(t *testing.T) {
	t.Parallel()
	i := &bodyReader{}
	of := func(n int) netip.Prefix {
		return netip.PrefixFrom(netip.AddrFrom4([4]byte{10, 0, byte(n >> 8), byte(n)}), 32)
	}
	w := httptest.NewRecorder()
	stranger := i.begin(w, of(0))
	var first *upload
	for range maxUploadingOf {
		if s := i.begin(w, of(1)); first == nil {
			first = s
		}
	}
	if first.isEvicted() || stranger.isEvicted() {
		t.Fatal("somebody gave way too soon")
	}
	i.begin(w, of(1))
	if !first.isEvicted() || stranger.isEvicted() {
		t.Error("the oldest of the network does not give way, or somebody else does")
	}
	for n := 2; len(i.uploading) < maxUploading; n++ {
		i.begin(w, of(n))
	}
	i.begin(w, of(1_000))
	if !stranger.isEvicted() || len(i.uploading) != maxUploading {
		t.Errorf("the oldest of all does not give way; %d are on their way", len(i.uploading))
	}
}
