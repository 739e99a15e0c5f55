package browsertest

import (
	"context"
	"fmt"
	"maps"
	"net/http/httptest"
	"net/http/httputil"
	"net/url"
	"slices"
	"testing"

	"github.com/chromedp/chromedp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/npmtest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/session"
)

// newLiveWorld is a world of an instance in production: all names are reached
// over https and at their own ports, and the proxy stands behind one that ends
// TLS.
func newLiveWorld(t *testing.T, start func(*testing.T, []site), l launch) *world {
	t.Helper()
	w := &world{app: "https://app.example.test", satellite: "https://sat.test"}
	w.clerk = clerktest.Start(t, clerktest.Options{
		Host: "clerk.example.test", Live: true, TLS: true, Origins: []string{w.app}, Satellites: []string{host(w.satellite)},
	})
	app, satellite := testprocess.Address(t), testprocess.Address(t)
	start(t, []site{
		{app, w.config(t, w.app, nil), w.startApp(t, w.app, npmtest.Request{})},
		{satellite, w.config(t, w.satellite, func(c *session.Config) { c.Satellite, c.SatelliteAutoSync, c.Domain = true, true, host(w.satellite) }),
			w.startApp(t, w.satellite, npmtest.Request{IsSatellite: true, SatelliteAutoSync: true, Domain: host(w.satellite)})},
	})
	for name, address := range map[string]string{
		"clerk.example.test": w.clerk.TLSAddr(), "clerk.sat.test": w.clerk.TLSAddr(),
		host(w.app): endTLS(t, app), host(w.satellite): endTLS(t, satellite),
	} {
		l.resolver += fmt.Sprintf("MAP %s:443 %s, ", name, address)
	}
	l.resolver += "MAP * ~NOTFOUND, EXCLUDE 127.0.0.1"
	w.tab = openTab(t, startChromium(t, l))
	return w
}

// endTLS stands before a proxy as a load balancer does, and returns where.
func endTLS(t *testing.T, address string) string {
	t.Helper()
	server := httptest.NewTLSServer(&httputil.ReverseProxy{Rewrite: func(p *httputil.ProxyRequest) {
		p.SetURL(&url.URL{Scheme: "http", Host: address})
		p.Out.Host = p.In.Host
		p.SetXForwarded()
	}})
	t.Cleanup(server.Close)
	return server.Listener.Addr().String()
}

// liveScenarios are what people do with an app in production.
var liveScenarios = map[string]struct {
	launch launch
	walk   func(w *world)
}{
	"signing in, renewing and signing out": {walk: func(w *world) {
		a := w.signIn(w.app+"/dashboard?tab=1", "user_ada")
		if a.Library.User != "user_ada" {
			w.t.Errorf("signed in as %+v", a.Library)
		}
		w.expire(w.app, a.Library.Session)
		if a := w.reach(w.app + "/dashboard"); a.Library.User != "user_ada" {
			w.t.Errorf("renewed %+v", a.Library)
		}
		w.open(w.clerk.AccountURL() + "?redirect_url=" + w.app + "/public")
		if a := w.reached(w.app+"/public", w.press("leave")); a.Library.User != "" {
			w.t.Errorf("still there: %+v", a.Library)
		}
	}},
	"a satellite learns who is signed in": {walk: func(w *world) {
		w.signIn(w.app+"/dashboard", "user_max")
		synced := w.satellite + "/dashboard?__clerk_synced=true"
		if a := w.reached(synced, w.open(w.satellite+"/dashboard")); a.Library.User != "user_max" {
			w.t.Errorf("the satellite sees %+v", a.Library)
		}
		if a := w.reach(w.satellite + "/dashboard"); a.Library.User != "user_max" {
			w.t.Errorf("later it sees %+v", a.Library)
		}
	}},
	"a link on another site": {walk: func(w *world) {
		w.signIn(w.app+"/dashboard", "user_ada")
		w.open(w.satellite + "/public")
		p := w.do(func(ctx context.Context, target *chromedp.Target) (chromedp.Void, error) {
			_, err := chromedp.Evaluate[string](`location.href = "`+w.app+`/dashboard"`)(ctx, target)
			return chromedp.Void{}, err
		})
		if a := w.reached(w.app+"/dashboard", p); a.Library.User != "user_ada" {
			w.t.Errorf("who follows a link is %+v", a.Library)
		}
	}},
	"no cookies": {launch: withoutCookies, walk: func(w *world) {
		endsSomewhere(w)
		if kept := w.cookies(w.app); len(kept) > 0 {
			w.t.Errorf("the browser took %d cookies", len(kept))
		}
	}},
}

// withoutCookies is a browser that takes none.
var withoutCookies = launch{preferences: map[string]any{
	"profile": map[string]any{"default_content_setting_values": map[string]any{"cookies": 2}},
}}

func TestBrowsersWalkThroughTheGateInProduction(t *testing.T) {
	for _, edge := range slices.Sorted(maps.Keys(edges)) {
		t.Run(edge, func(t *testing.T) {
			for _, name := range slices.Sorted(maps.Keys(liveScenarios)) {
				s := liveScenarios[name]
				t.Run(name, func(t *testing.T) {
					w := newLiveWorld(t, edges[edge], s.launch)
					s.walk(w)
				})
			}
		})
	}
}
