package revocation

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// edge serves a receiver on a port, as hosts do.
func edge(t *testing.T) (*Service, string) {
	t.Helper()
	service := New(Options{})
	r, err := NewReceiver(service, secret)
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(r)
	t.Cleanup(server.Close)
	return service, server.Listener.Addr().String()
}

// begin sends the fields of a delivery, and as much of its body.
func begin(t *testing.T, address, fields string, announced int, body string) net.Conn {
	t.Helper()
	c, err := net.Dial("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { c.Close() })
	fmt.Fprintf(c, "POST /webhooks/clerk HTTP/1.1\r\nHost: a\r\nContent-Length: %d\r\n%s\r\n%s", announced, fields, body)
	return c
}

// status is what a connection is answered.
func status(t *testing.T, c net.Conn) (int, http.Header, string) {
	t.Helper()
	_ = c.SetReadDeadline(time.Now().Add(patience))
	response, err := http.ReadResponse(bufio.NewReader(c), nil)
	if err != nil {
		t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, response.Header, string(text)
}

// forged are the fields of a delivery that only a signature tells from Clerk's.
func forged() string {
	return "Svix-Id: msg_1\r\nSvix-Timestamp: " + strconv.FormatInt(time.Now().Unix(), 10) + "\r\nSvix-Signature: v1,AAAA\r\n"
}

// What cannot be a delivery, whatever its body is, is refused before there is one.
func TestTheFieldsComeBeforeTheBody(t *testing.T) {
	t.Parallel()
	_, address := edge(t)
	stamp := func(away time.Duration) string {
		return "Svix-Timestamp: " + strconv.FormatInt(time.Now().Add(away).Unix(), 10) + "\r\n"
	}
	const id, signature = "Svix-Id: msg_1\r\n", "Svix-Signature: v1,AAAA\r\n"
	for _, c := range []struct{ fields, want string }{
		{"", "svix-id, svix-timestamp and svix-signature are missing"},
		{id, "svix-timestamp and svix-signature are missing"},
		{id + stamp(0), "svix-signature is missing"},
		{stamp(0) + signature, "svix-id is missing"},
		{"Svix-Id: \r\n" + stamp(0) + signature, "svix-id is missing"},
		{id + signature, "svix-timestamp is missing"},
		{id + stamp(-time.Hour) + signature, "too old"},
		{id + stamp(time.Hour) + signature, "from the future"},
		{id + "Svix-Timestamp: now\r\n" + signature, "not in Unix seconds"},
	} {
		code, _, text := status(t, begin(t, address, c.fields, 1000, ""))
		if code != http.StatusBadRequest || !strings.Contains(text, c.want) {
			t.Errorf("%q: %d %s", c.fields, code, text)
		}
	}
	if code, _, text := status(t, begin(t, address, forged(), maxDelivery+1, "")); code != http.StatusRequestEntityTooLarge {
		t.Errorf("a body too long: %d %s", code, text)
	}
}

// However many strangers send, and however slowly, what they take is bounded.
func TestOpenDeliveriesAreBounded(t *testing.T) {
	t.Parallel()
	service, address := edge(t)
	d := &service.deliveries
	const many = 400
	part := strings.Repeat("a", 200<<10)
	conns := make([]net.Conn, many)
	var sent sync.WaitGroup
	for i := range conns {
		sent.Go(func() { conns[i] = begin(t, address, forged(), maxDelivery, part) })
	}
	most, mostRoom := int64(0), int64(0)
	eventually(t, "refusing", func() bool {
		most, mostRoom = max(most, d.open.Load()), max(mostRoom, d.openBytes.Load())
		return d.busy.Load() > 0
	})
	sent.Wait()
	most, mostRoom = max(most, d.open.Load()), max(mostRoom, d.openBytes.Load())
	// One that finds no room has been counted for a moment.
	if most > maxOpen+many || mostRoom > maxOpenBytes+many*2*readSize {
		t.Errorf("%d are open, with %d bytes", most, mostRoom)
	}
	began := time.Now()
	answers := map[int]int{}
	for _, c := range conns {
		code, header, _ := status(t, c)
		if code == http.StatusServiceUnavailable && header.Get("Retry-After") == "" {
			t.Error("it is not said when to send again")
		}
		answers[code]++
	}
	if took := time.Since(began); answers[http.StatusServiceUnavailable] == 0 || answers[http.StatusServiceUnavailable]+answers[http.StatusRequestTimeout] != many || took > 2*readTime {
		t.Errorf("%v after %v", answers, took)
	}
	eventually(t, "room", func() bool { return d.open.Load() == 0 && d.openBytes.Load() == 0 })

	body := fmt.Sprintf(`{"type":"session.revoked","timestamp":%d,"data":{"id":"sess_1"}}`, time.Now().UnixMilli())
	request, err := http.NewRequest(http.MethodPost, "http://"+address+"/webhooks/clerk", strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	request.Header = clerktest.SignWebhook(secret, "msg_1", time.Now(), []byte(body))
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		t.Fatal(err)
	}
	response.Body.Close()
	if response.StatusCode != http.StatusNoContent || !refuses(service, "sess_1") {
		t.Errorf("a delivery afterwards: %d", response.StatusCode)
	}
}

// A clock that was set back does not date what happened back, and one that is wrong
// refuses nothing that the store's clock knows to be right.
func TestDeliveriesGoByClerksClock(t *testing.T) {
	t.Parallel()
	for _, away := range []time.Duration{0, 4 * time.Minute, -4 * time.Minute, 24 * time.Hour, -24 * time.Hour} {
		r := newReceiver(t, nil)
		wrong := now.Add(away)
		r.service.options.Now = func() time.Time { return wrong }
		r.service.options.elapsed = func() time.Duration { return 0 }
		r.service.storeTimeKnown.Store(true) // the store's clock is right
		if w := r.deliver("msg_1", happened("user.updated", `{"id":"user_1","banned":true}`)); w.Code != http.StatusNoContent {
			t.Errorf("%v away: %d %s", away, w.Code, w.Body)
		}
		if w := r.deliver("msg_2", `{"type":"user.updated","data":{"id":"user_2","banned":true}}`); w.Code != http.StatusNoContent {
			t.Errorf("%v away: %d %s", away, w.Code, w.Body)
		}
		for _, e := range r.service.all() {
			if e.At < now.Add(-time.Second).UnixMilli() || e.At > now.UnixMilli() {
				t.Errorf("%v away: happened at %v", away, time.UnixMilli(e.At).Sub(now))
			}
		}
	}
}
