package caddyplugin

import (
	"strings"
	"testing"

	"go.uber.org/zap/zapcore"
	"go.uber.org/zap/zaptest/observer"

	"github.com/clerkgate/clerkgate/policy"
)

// What requests show to be set up wrongly is warned of once, whatever the level of
// refusals.
func TestOperatorsAreToldOnceOfWhatIsSetUpWrongly(t *testing.T) {
	t.Parallel()
	core, log := observer.New(zapcore.WarnLevel)
	h := newHandler(t, policy.Config{}, nobody)
	h.logTo(core)
	for range 3 {
		r := received(t, "GET / HTTP/1.1\r\nHost: www.example.com\r\nAccept: text/html\r\nSec-Fetch-Dest: document\r\nX-Forwarded-For: 203.0.113.9\r\n\r\n")
		r.RemoteAddr = "10.0.0.7:1234"
		serve(h, r)
	}
	var text strings.Builder
	for _, entry := range log.All() {
		text.WriteString(entry.Message + "\n")
	}
	if log.Len() != 2 || !strings.Contains(text.String(), "not in authorized_parties") || !strings.Contains(text.String(), "www.example.com") || !strings.Contains(text.String(), "10.0.0.7 is treated as the client") {
		t.Errorf("the log: %s", text.String())
	}
}
