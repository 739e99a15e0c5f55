package session

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// Who opens a site under a name that nobody listed sees a refusal: the log says why
// the browser was not sent to sign in.
func TestAHostThatIsNoPartyIsNamedInTheLog(t *testing.T) {
	t.Parallel()
	for host, want := range map[string]string{
		"www.example.com": `the host "www.example.com" is not in authorized_parties`,
		"app.example.com": "",
	} {
		r := sessiontest.Navigation("/dashboard", "__client_uat=1749999990")
		r.Host = host
		state := newBrowser(t, Config{}).load(t, r)
		cause := ""
		if state.Cause != nil {
			cause = state.Cause.Error()
		}
		if (state.Status == policy.Handshake) != (want == "") || !strings.Contains(cause, want) || want == "" && cause != "" {
			t.Errorf("%s: status %v, cause %q", host, state.Status, cause)
		}
	}
}
