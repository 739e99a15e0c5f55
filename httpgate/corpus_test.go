package httpgate

import (
	"net/http"
	"net/http/httptest"
	"net/url"
	"testing"

	"github.com/clerkgate/clerkgate/internal/corpus"
)

// TestCorpus holds the gate to the decisions that the policy makes by itself.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range corpus.Load(t, "../policy/testdata/decisions") {
		t.Run(c.Name, func(t *testing.T) {
			t.Parallel()
			p := &recorder{decider: c.Policy(t)}
			g := newGate(t, p, Options{})
			var x corpus.Exchange
			for range c.Times {
				r := c.HTTPRequest(t)
				if c.Request.Sent != "" { // as http.StripPrefix does
					var err error
					if r.URL, err = url.ParseRequestURI(c.Request.Target); err != nil {
						t.Fatal(err)
					}
				}
				x = corpus.Exchange{}
				w := httptest.NewRecorder()
				g.Wrap(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { x.Upstream = r.Header })).ServeHTTP(w, r)
				x.Status, x.Header, x.Body = w.Code, w.Header(), w.Body.String()
			}
			d := &p.last
			x.Outcome, x.Reason, x.Rule = d.Outcome.String(), string(d.Reason), d.Rule
			if d.Shadow != nil {
				x.Shadow = string(d.Shadow.Reason)
			}
			c.CheckHTTP(t, &x)
		})
	}
}
