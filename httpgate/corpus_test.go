package httpgate

import (
	"net/http"
	"net/url"
	"testing"

	"github.com/clerkgate/clerkgate/internal/corpus"
)

// TestCorpus holds the gate to the decisions that the policy makes by itself.
func TestCorpus(t *testing.T) {
	t.Parallel()
	corpus.RunHTTP(t, "../policy/testdata/decisions", func(t *testing.T, c *corpus.Case) func(*http.Request) *corpus.Exchange {
		p := &recorder{decider: c.Policy(t)}
		g := newGate(t, p, Options{})
		return func(r *http.Request) *corpus.Exchange {
			if c.Request.Sent != "" { // as http.StripPrefix does
				var err error
				if r.URL, err = url.ParseRequestURI(c.Request.Target); err != nil {
					t.Fatal(err)
				}
			}
			w, seen := serve(g, r)
			x := corpus.ExchangeOf(&p.last)
			x.Status, x.Header, x.Body = w.Code, w.Header(), w.Body.String()
			if seen != nil {
				x.Upstream = seen.Header
			}
			return x
		}
	})
}
