package policy_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range corpus.Load(t, "testdata/decisions") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			p, r := c.Policy(t), c.PolicyRequest()
			var d policy.Decision
			for range c.Times {
				d = p.Decide(t.Context(), r)
			}
			checkDecision(t, &c, r, &d)
		})
	}
}

func checkDecision(t *testing.T, c *corpus.Case, r *policy.Request, d *policy.Decision) {
	t.Helper()
	if c.Want.Outcome != "" && d.Outcome.String() != c.Want.Outcome {
		t.Errorf("outcome %v, want %v", d.Outcome, c.Want.Outcome)
	}
	if d.Status != c.Want.Status || d.Reason != c.Want.Reason || d.Rule != c.Want.Rule {
		t.Errorf("status %d, reason %s, rule %q; want %d, %s, %q (cause: %v)", d.Status, d.Reason, d.Rule, c.Want.Status, c.Want.Reason, c.Want.Rule, d.Cause)
	}
	if c.Want.Shadow != "" && (d.Shadow == nil || d.Shadow.Reason != c.Want.Shadow) {
		t.Errorf("shadow %+v, want reason %s", d.Shadow, c.Want.Shadow)
	}
	upstream := edited(r.Headers, d)
	for name, want := range c.Want.Upstream {
		compareField(t, "upstream", name, upstream[http.CanonicalHeaderKey(name)], want)
	}
	response := http.Header{}
	for _, h := range d.ResponseHeaders {
		response.Add(h.Name, h.Value)
	}
	for name, want := range c.Want.Response {
		compareField(t, "response", name, response.Values(name), want)
	}
	for _, want := range c.Want.Body {
		if !strings.Contains(string(d.Body), want) {
			t.Errorf("body %s\nlacks %s", d.Body, want)
		}
	}
	if c.Want.GRPC != nil && (d.GRPC == nil || d.GRPC.Code != *c.Want.GRPC) {
		t.Errorf("gRPC status %+v, want %d", d.GRPC, *c.Want.GRPC)
	}
}

// edited applies a decision's header edits as an adapter does.
func edited(sent []policy.Header, d *policy.Decision) http.Header {
	upstream := http.Header{}
	for _, h := range sent {
		removed := false
		for _, name := range d.RemoveHeaders {
			removed = removed || strings.EqualFold(name, h.Name)
		}
		for _, set := range d.SetHeaders {
			removed = removed || strings.EqualFold(set.Name, h.Name)
		}
		if !removed {
			upstream.Add(h.Name, h.Value)
		}
	}
	for _, h := range d.SetHeaders {
		upstream.Add(h.Name, h.Value)
	}
	return upstream
}

func compareField(t *testing.T, side, name string, got []string, want string) {
	t.Helper()
	if want == "" && len(got) > 0 {
		t.Errorf("%s %s is %q, want none", side, name, got)
	}
	if want != "" && (len(got) != 1 || got[0] != want) {
		t.Errorf("%s %s is %q, want exactly %q", side, name, got, want)
	}
}
