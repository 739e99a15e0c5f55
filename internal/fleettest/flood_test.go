package fleettest

import (
	"bufio"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"testing"
	"time"
)

// A node is flooded through Envoy with large deliveries that nobody signed: they take
// little memory, and Clerk's are taken all the same.
func TestDeliveriesOfStrangersTakeLittle(t *testing.T) {
	f := newFleet(t)
	const memory = `go_memstats_heap_inuse_bytes`
	f.courier.goTo(f.edges[0])
	before := f.a.metric(t, memory)
	forged := func() string {
		return fmt.Sprintf("Svix-Id: msg_1\r\nSvix-Timestamp: %d\r\nSvix-Signature: v1,AAAA\r\n", time.Now().Unix())
	}
	for name, fields := range map[string]func() string{"without fields": func() string { return "" }, "with forged ones": forged} {
		var senders sync.WaitGroup
		var mu sync.Mutex
		answers := map[int]int{}
		for range 300 {
			conn, err := net.Dial("tcp", strings.TrimPrefix(f.edges[0].origin, "http://"))
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { conn.Close() })
			senders.Go(func() {
				_ = conn.SetDeadline(time.Now().Add(patience))
				fmt.Fprintf(conn, "POST /webhooks/clerk HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1048576\r\n%s\r\n", fields())
				for range 15 { // all but the end
					if _, err := conn.Write(make([]byte, 64<<10)); err != nil {
						break
					}
				}
				status := 0
				if response, err := http.ReadResponse(bufio.NewReader(conn), nil); err == nil {
					response.Body.Close()
					status = response.StatusCode
				}
				mu.Lock()
				defer mu.Unlock()
				answers[status]++
			})
		}
		p := f.signIn(t, "")
		token := p.token()
		eventually(t, "a delivery of Clerk's", func() bool {
			return f.clerk.Send("session.revoked", map[string]any{"id": p.session.ID}).Status == http.StatusNoContent
		})
		for _, e := range f.edges {
			eventually(t, "a refusal of "+e.name, func() bool { return e.refuses(t, token) })
		}
		senders.Wait()
		after := f.a.metric(t, memory)
		t.Logf("%s: answers %v, heap %.0f KiB, then %.0f KiB", name, answers, before/1024, after/1024)
		if after > before+64<<20 {
			t.Errorf("%s: %.0f MiB are held", name, (after-before)/(1<<20))
		}
		if answers[http.StatusNoContent] > 0 {
			t.Errorf("%s: %d are taken", name, answers[http.StatusNoContent])
		}
	}
}
