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
			c.Check(t, exchangeOf(r, &d))
		})
	}
}

// exchangeOf is what an adapter makes of a decision.
func exchangeOf(r *policy.Request, d *policy.Decision) *corpus.Exchange {
	x := corpus.ExchangeOf(d)
	x.Status, x.Header, x.Body = d.Status, http.Header{}, string(d.Body)
	for _, h := range d.ResponseHeaders {
		x.Header.Add(h.Name, h.Value)
	}
	if d.GRPC != nil {
		x.GRPC = &d.GRPC.Code
	}
	if d.Allowed() {
		x.Upstream = edited(r.Headers, d)
	}
	return x
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
