package calls

import (
	"context"
	"io"
	"net/http"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

func TestRetryAfterIsBounded(t *testing.T) {
	t.Parallel()
	for field, want := range map[string]time.Duration{
		"": ShortestQuiet, "0": ShortestQuiet, "3": 3 * time.Second, "99999": longestQuiet, "-1": ShortestQuiet,
		"99999999999999999999": ShortestQuiet, "Fri, 31 Dec 2099 23:59:59 GMT": ShortestQuiet,
	} {
		if got := retryAfter(http.Header{"Retry-After": {field}}); got != want {
			t.Errorf("%q is %v, want %v", field, got, want)
		}
	}
}

// A slot is given back however a call ends.
func TestSlotsComeBack(t *testing.T) {
	t.Parallel()
	b := &sessiontest.Scripted{}
	client := Client(&http.Client{Transport: b})
	for i := range 3 * MaxKnown {
		b.AnswerWith(sessiontest.Failure(404), 0)
		if i%4 == 0 {
			b.AnswerWith(sessiontest.Reply{Err: io.ErrUnexpectedEOF}, 0)
		}
		req, err := http.NewRequestWithContext(context.Background(), http.MethodPost, "https://api.clerk.com/v1/x", nil)
		if err != nil {
			t.Fatal(err)
		}
		if resp, err := client.Do(req); err == nil {
			resp.Body.Close()
			resp.Body.Close()
		}
	}
	if n := len(client.Transport.(*transport).lanes[ForKnown].slots); n != 0 {
		t.Errorf("%d slots are still taken", n)
	}
}
