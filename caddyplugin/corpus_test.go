package caddyplugin

import (
	"net/url"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/corpus"
)

// TestCorpus holds the handler to the decisions that the policy makes by
// itself. The requests go through net/http's parser, which refuses some of the
// malformed ones before any handler sees them.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range corpus.Load(t, "../policy/testdata/decisions") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			h := handlerOf(c.Policy(t))
			var o outcome
			for range c.Times {
				r := caddyhttp.PrepareRequest(c.HTTPRequest(t), caddy.NewReplacer(), nil, nil)
				if c.Request.Sent != "" { // as the handler rewrite does
					r.RequestURI = c.Request.Target
					var err error
					if r.URL, err = url.ParseRequestURI(c.Request.Target); err != nil {
						t.Fatal(err)
					}
				}
				o = serve(h, r)
			}
			if o.err != nil {
				t.Errorf("error %v", o.err)
			}
			x := corpus.Exchange{Status: o.Code, Header: o.Header(), Body: o.Body.String(),
				Outcome: o.placeholder("http.clerk.outcome"), Reason: o.placeholder("http.clerk.reason"),
				Rule: o.placeholder("http.clerk.rule"), Shadow: o.placeholder("http.clerk.shadow")}
			if o.upstream != nil {
				x.Upstream = o.upstream.Header
			}
			c.CheckHTTP(t, &x)
		})
	}
}
