package caddyplugin

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

// TestCorpus holds the handler to the decisions that the policy makes by itself.
func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus.RunHTTP(t, "../policy/testdata/decisions", func(t *testing.T, c *corpus.Case) func(*http.Request) *corpus.Exchange {
		h := handlerOf(c.Policy(t))
		return func(r *http.Request) *corpus.Exchange {
			r = caddyhttp.PrepareRequest(r, caddy.NewReplacer(), nil, nil)
			if c.Request.Sent != "" { // as the handler rewrite does
				r.RequestURI = c.Request.Target
				var err error
				if r.URL, err = url.ParseRequestURI(c.Request.Target); err != nil {
					t.Fatal(err)
				}
			}
			o := serve(h, r)
			if o.err != nil {
				t.Errorf("error %v", o.err)
			}
			x := &corpus.Exchange{
				Outcome: o.placeholder("http.clerk.outcome"), Reason: policy.Reason(o.placeholder("http.clerk.reason")),
				Rule: o.placeholder("http.clerk.rule"), Shadow: policy.Reason(o.placeholder("http.clerk.shadow")),
				Status: o.Code, Header: o.Header(), Body: o.Body.String(),
			}
			if o.upstream != nil {
				x.Upstream = o.upstream.Header
			}
			return x
		}
	})
}
