package browsertest

import (
	"cmp"
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/chromedp"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// patience is how long a page may take on a busy machine.
const patience = 60 * time.Second

// launch says how a Chromium differs from the usual one.
type launch struct {
	// resolver are rules for names (--host-resolver-rules).
	resolver string
	// preferences are those of its profile.
	preferences map[string]any
}

// startChromium runs a Chromium until the test ends.
func startChromium(t *testing.T, l launch) context.Context {
	t.Helper()
	dir := profile(t, l.preferences)
	ctx, cancel := chromedp.NewExecAllocator(context.Background(),
		chromedp.ExecPath(testprocess.Chromium(t)), chromedp.UserDataDir(dir),
		chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun, chromedp.NoDefaultBrowserCheck,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true),
		chromedp.Flag("disable-component-update", true), chromedp.Flag("disable-sync", true), chromedp.Flag("disable-dev-shm-usage", true),
		chromedp.Flag("ignore-certificate-errors", true),
		chromedp.Flag("host-resolver-rules", cmp.Or(l.resolver, "MAP * ~NOTFOUND, EXCLUDE localhost, EXCLUDE *.localhost, EXCLUDE 127.0.0.1")),
	)
	browser, stop := chromedp.NewContext(ctx)
	t.Cleanup(func() {
		stop()
		cancel()
		chromedp.FromContext(browser).Allocator.Wait()
		if err := os.RemoveAll(dir); err != nil {
			t.Logf("the profile stays: %v", err)
		}
	})
	if err := chromedp.Do(browser); err != nil {
		t.Fatalf("starting Chromium: %v", err)
	}
	return browser
}

// profile makes the directory of a profile. It is not the test's own, which
// could go before a child of the browser that writes to it.
func profile(t *testing.T, preferences map[string]any) string {
	t.Helper()
	dir, err := os.MkdirTemp("", "clerkgate-chromium-")
	if err == nil {
		err = os.Mkdir(filepath.Join(dir, "Default"), 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(preferences)
	if err == nil && preferences != nil {
		err = os.WriteFile(filepath.Join(dir, "Default", "Preferences"), text, 0o600)
	}
	if err != nil {
		t.Fatal(err)
	}
	return dir
}

// tab is a window that shares nothing with others.
type tab struct {
	t   *testing.T
	ctx context.Context

	mu   sync.Mutex
	hops []string
}

func openTab(t *testing.T, browser context.Context, options ...chromedp.ContextOption) *tab {
	t.Helper()
	tb := &tab{t: t}
	options = append(options, chromedp.WithListener(func(e any) {
		if sent, ok := e.(*network.EventRequestWillBeSent); ok && sent.Type == network.ResourceTypeDocument {
			tb.mu.Lock()
			defer tb.mu.Unlock()
			tb.hops = append(tb.hops, sent.Request.URL)
		}
	}))
	ctx, cancel := chromedp.NewContext(browser, options...)
	t.Cleanup(cancel)
	tb.ctx = ctx
	if err := chromedp.Do(ctx); err != nil {
		t.Fatalf("opening a window: %v", err)
	}
	return tb
}

// page is what a browser shows in the end.
type page struct {
	url    string
	status int64
	text   string
	// hops are the addresses that it took.
	hops []string
}

// open navigates.
func (tb *tab) open(address string) page {
	tb.t.Helper()
	return tb.do(chromedp.Navigate(address))
}

// press clicks a button that leads to another page, named by its value.
func (tb *tab) press(value string) page {
	tb.t.Helper()
	return tb.do(chromedp.Click(`button[value="` + value + `"]`))
}

func (tb *tab) do(action chromedp.Action[chromedp.Void]) page {
	tb.t.Helper()
	tb.mu.Lock()
	tb.hops = nil
	tb.mu.Unlock()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	var p page
	response, err := chromedp.RunResponse(ctx, action)
	if err == nil {
		p.url, err = chromedp.Run(ctx, chromedp.Location())
	}
	if err == nil {
		p.text, err = chromedp.Run(ctx, chromedp.Evaluate[string]("document.body.innerText"))
	}
	tb.mu.Lock()
	p.hops = tb.hops
	tb.mu.Unlock()
	if err != nil {
		tb.t.Fatalf("%v, after %s", err, strings.Join(p.hops, "\n"))
	}
	if response != nil {
		p.status = response.Status
	}
	return p
}

// cookies are those of the page's address.
func (tb *tab) cookies(address string) []*network.Cookie {
	tb.t.Helper()
	return run(tb, func(ctx context.Context, t *chromedp.Target) ([]*network.Cookie, error) {
		got, err := cdp.Call(ctx, t, network.GetCookies, network.GetCookiesParams{URLs: []string{address}})
		return got.Cookies, err
	})
}

// setCookie puts another value into a cookie, and changes nothing else of it.
func (tb *tab) setCookie(address string, c *network.Cookie, value string) {
	tb.t.Helper()
	domain := "" // this host alone
	if strings.HasPrefix(c.Domain, ".") {
		domain = c.Domain
	}
	run(tb, func(ctx context.Context, t *chromedp.Target) (cdp.Empty, error) {
		return cdp.Call(ctx, t, network.SetCookie, network.SetCookieParams{
			Domain: domain, Name: c.Name, Value: value, URL: address, Path: c.Path, Secure: &c.Secure, HTTPOnly: &c.HTTPOnly, SameSite: c.SameSite,
		})
	})
}

// run has the browser do something that opens no page.
func run[T any](tb *tab, action chromedp.Action[T]) T {
	tb.t.Helper()
	ctx, cancel := context.WithTimeout(tb.ctx, patience)
	defer cancel()
	got, err := chromedp.Run(ctx, action)
	if err != nil {
		tb.t.Fatal(err)
	}
	return got
}
