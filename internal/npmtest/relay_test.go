package npmtest

import (
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"testing"
)

// relay is an app's public origin: it is known before the app runs.
type relay struct {
	origin string
	server *httptest.Server
}

func newRelay(t *testing.T) *relay {
	t.Helper()
	server := httptest.NewUnstartedServer(nil)
	t.Cleanup(server.Close)
	u, err := url.Parse("http://" + server.Listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	// The instance is at 127.0.0.1: the app is another site.
	return &relay{"http://localhost:" + u.Port(), server}
}

// to starts forwarding, with the host that was asked for.
func (r *relay) to(address string) {
	r.server.Config.Handler = &httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(&url.URL{Scheme: "http", Host: address})
		p.Out.Host = p.In.Host
	}}
	r.server.Start()
}
