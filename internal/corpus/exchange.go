package corpus

import (
	"net/http"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// Exchange is what became of a request, at whatever host.
type Exchange struct {
	Outcome string
	Reason  policy.Reason
	Rule    string
	Shadow  policy.Reason
	// Status, Header and Body answer the client, and GRPC where it speaks gRPC.
	Status int
	Header http.Header
	Body   string
	GRPC   *uint32
	// Upstream is the header that the next handler got; nil where it got nothing.
	Upstream http.Header
}

// ExchangeOf is what a decision says of an exchange, without what the client and the
// next handler get.
func ExchangeOf(d *policy.Decision) *Exchange {
	x := &Exchange{Outcome: d.Outcome.String(), Reason: d.Reason, Rule: d.Rule}
	if d.Shadow != nil {
		x.Shadow = d.Shadow.Reason
	}
	return x
}

// Check compares an exchange with what the case wants.
func (c *Case) Check(tb testing.TB, x *Exchange) {
	tb.Helper()
	want := &c.Want
	if x.Reason != want.Reason || x.Rule != want.Rule {
		tb.Errorf("reason %s, rule %q; want %s, %q", x.Reason, x.Rule, want.Reason, want.Rule)
	}
	if want.Outcome != "" && x.Outcome != want.Outcome {
		tb.Errorf("outcome %s, want %s", x.Outcome, want.Outcome)
	}
	if want.Shadow != "" && x.Shadow != want.Shadow {
		tb.Errorf("shadow %s, want %s", x.Shadow, want.Shadow)
	}
	if passes := want.Status == http.StatusOK; (x.Upstream != nil) != passes {
		tb.Errorf("the next handler was called: %t, want %t", x.Upstream != nil, passes)
	}
	if x.Status != want.Status {
		tb.Errorf("status %d, want %d", x.Status, want.Status)
	}
	if want.GRPC != nil && (x.GRPC == nil || *x.GRPC != *want.GRPC) {
		tb.Errorf("gRPC status %v, want %d", x.GRPC, *want.GRPC)
	}
	for name, value := range want.Upstream {
		CheckField(tb, "upstream", name, x.Upstream.Values(name), value)
	}
	for name, value := range want.Response {
		CheckField(tb, "response", name, x.Header.Values(name), value)
	}
	for _, text := range want.Body {
		if !strings.Contains(x.Body, text) {
			tb.Errorf("body %s\nlacks %s", x.Body, text)
		}
	}
}

// CheckField compares a field with what a case wants of it: exactly once, or not at
// all where that is empty.
func CheckField(tb testing.TB, side, name string, got []string, want string) {
	tb.Helper()
	if want == "" && len(got) > 0 {
		tb.Errorf("%s: %s is %q, want none", side, name, got)
	}
	if want != "" && (len(got) != 1 || got[0] != want) {
		tb.Errorf("%s: %s is %q, want exactly %q", side, name, got, want)
	}
}
