package browsertest

import (
	"strings"
	"testing"
	"time"

	"github.com/chromedp/chromedp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/npmtest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/policy"
)

// People see why they cannot pass, also where the proxy takes no such answer.
func TestBrowsersSeeRefusalsThroughForwardAuth(t *testing.T) {
	browser := startChromium(t, launch{})
	for _, edge := range []string{"nginx", "HAProxy"} {
		t.Run(edge, func(t *testing.T) {
			tb := openTab(t, browser, chromedp.WithNewBrowserContext())
			address := testprocess.Address(t)
			w := &world{tab: tb, app: "http://localhost:" + port(t, address)}
			w.clerk = clerktest.Start(t, clerktest.Options{FrontendURL: clerktest.Itself, Origins: []string{w.app}})
			config := w.config(t, w.app, nil)
			config.Limits = map[string]policy.Limit{"few": {Limit: 6, Window: policy.Duration(time.Minute), Key: policy.StringList{"ip"}}}
			config.Rules = append([]policy.Rule{
				{Name: "limited", Match: policy.Match{Path: policy.StringList{"/limited"}}, Access: policy.Public, Limits: policy.StringList{"few"}},
				{Name: "unknown", Match: policy.Match{Path: policy.StringList{"/hidden"}}, Require: &policy.Requirement{Role: policy.StringList{"org:owner"}}, OnForbidden: &policy.OnForbidden{Status: 404}},
			}, config.Rules...)
			edges[edge](t, []site{{address, config, w.startApp(t, w.app, npmtest.Request{})}})

			if p := w.open(w.app + "/limited"); p.status != 200 { // after a handshake, which counts too
				t.Fatalf("within the limit: %d", p.status)
			}
			for p := w.open(w.app + "/limited"); p.status == 200; p = w.open(w.app + "/limited") {
			}
			see(t, w, w.app+"/limited", 429, "Too many requests")
			w.signIn(w.app+"/dashboard", "user_max")
			see(t, w, w.app+"/admin", 403, "You do not have access to this")
			see(t, w, w.app+"/hidden", 404, "Not Found")
		})
		t.Run(edge+" in an outage", func(t *testing.T) {
			tb := openTab(t, browser, chromedp.WithNewBrowserContext())
			address := testprocess.Address(t)
			w := &world{tab: tb, app: "http://localhost:" + port(t, address)}
			w.clerk = clerktest.Start(t, clerktest.Options{FrontendURL: clerktest.Itself, Origins: []string{w.app}})
			config := w.config(t, w.app, nil)
			sites := []site{{address, config, w.startApp(t, w.app, npmtest.Request{})}}
			edges[edge](t, withoutKeys(sites))
			w.open(w.app + "/public") // so that the browser has a page of the site
			session, err := w.clerk.SignIn("user_max")
			if err != nil {
				t.Fatal(err)
			}
			token := w.clerk.Mint(session, clerktest.Token{Claims: map[string]any{"azp": w.app}})
			run(tb, chromedp.Evaluate[string](`document.cookie = "__session=`+token+`"; document.cookie = "__client_uat=1"; document.cookie = "__clerk_db_jwt=dvb"; "set"`))
			see(t, w, w.app+"/dashboard", 503, "try again")
		})
	}
}

// withoutKeys are the sites with an instance whose keys cannot be fetched.
func withoutKeys(sites []site) []site {
	out := make([]site, len(sites))
	for i, s := range sites {
		config := s.config
		config.Clerk.APIURL = "http://127.0.0.1:9" // discard: nobody is there
		out[i] = site{s.address, config, s.upstream}
	}
	return out
}

// see opens a page that says why it is not shown.
func see(t *testing.T, w *world, address string, status int, text string) {
	t.Helper()
	if p := w.open(address); p.status != int64(status) || !strings.Contains(strings.ToLower(p.text), strings.ToLower(text)) {
		t.Errorf("%s: %d %q, want %d with %q", address, p.status, p.text, status, text)
	}
}
