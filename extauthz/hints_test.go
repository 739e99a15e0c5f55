package extauthz

import (
	"bytes"
	"log/slog"
	"net/netip"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// What requests show to be set up wrongly is warned of once, whatever the level of
// refusals.
func TestOperatorsAreToldOnceOfWhatIsSetUpWrongly(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(t, newPolicy(t, policy.Config{}, bearers{}), Options{Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))})
	for range 3 {
		r := &policy.Request{Method: "GET", Scheme: "https", Host: "www.example.com", Target: "/", Peer: netip.MustParseAddr("10.0.0.7"), Headers: []policy.Header{
			{Name: "Accept", Value: "text/html"}, {Name: "Sec-Fetch-Dest", Value: "document"}, {Name: "X-Forwarded-For", Value: "203.0.113.9, 10.0.0.7"},
		}}
		if _, err := s.Check(t.Context(), checkOf(r, encodeRaw)); err != nil {
			t.Fatal(err)
		}
	}
	text := log.String()
	if strings.Count(text, "\n") != 2 || !strings.Contains(text, "not in authorized_parties") || !strings.Contains(text, "www.example.com") || !strings.Contains(text, "10.0.0.7 is treated as the client") {
		t.Errorf("the log: %s", text)
	}
}
