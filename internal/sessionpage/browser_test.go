package sessionpage

import (
	"context"
	"flag"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

var update = flag.Bool("update", false, "write screenshots of the page into docs/images")

// browserTimeout bounds a test in a browser, its start included.
const browserTimeout = 90 * time.Second

// browser is a tab of a Chromium of its own.
type browser struct {
	t   *testing.T
	ctx context.Context
	// complaints are what the console says.
	complaints <-chan string
}

// startBrowser runs Chromium, or skips the test where there is none and not
// everything must be.
func startBrowser(t *testing.T) *browser {
	t.Helper()
	path := testprocess.Chromium(t)
	ctx, stop := context.WithTimeout(t.Context(), browserTimeout)
	t.Cleanup(stop)
	ctx, stop = chromedp.NewExecAllocator(ctx, chromedp.ExecPath(path), chromedp.Headless, chromedp.NoSandbox, chromedp.DisableGPU, chromedp.NoFirstRun,
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-background-networking", true), chromedp.Flag("disable-component-update", true),
		chromedp.Flag("disable-sync", true), chromedp.Flag("ignore-certificate-errors", true), chromedp.UserDataDir(t.TempDir()))
	t.Cleanup(stop)
	ctx, stop = chromedp.NewContext(ctx)
	t.Cleanup(stop)
	b := &browser{t: t, ctx: ctx}
	b.do(chromedp.EmulateViewport(1000, 1100))
	said := make(chan string, 64)
	messages := chromedp.Console(ctx)
	go func() {
		defer close(said)
		for m, err := range messages {
			if err != nil {
				return
			}
			said <- m.String()
		}
	}()
	b.complaints = said
	return b
}

func (b *browser) do(steps ...chromedp.Action[chromedp.Void]) {
	b.t.Helper()
	if err := chromedp.Do(b.ctx, steps...); err != nil {
		b.t.Fatal(err)
	}
}

// eval runs an expression in the page.
func eval[T any](b *browser, expression string) T {
	b.t.Helper()
	v, err := chromedp.Run(b.ctx, chromedp.Evaluate[T](expression))
	if err != nil {
		b.t.Fatalf("%s: %v", expression, err)
	}
	return v
}

// prefer sets what the page is told of the system's colours.
func prefer(scheme string) chromedp.Action[chromedp.Void] {
	return chromedp.Func(func(ctx context.Context, t *chromedp.Target) error {
		_, err := cdp.Call(ctx, t, emulation.SetEmulatedMedia, emulation.SetEmulatedMediaParams{
			Features: []*emulation.MediaFeature{{Name: "prefers-color-scheme", Value: scheme}},
		})
		return err
	})
}

// site is a page on a real server, with a way to sign in.
type site struct {
	*world
	url, secure  string
	here, others []*clerktest.Session
}

// devices are what the sessions of the tests are used on, the current one first.
var devices = []map[string]any{
	{"browser_name": "Chrome", "browser_version": "156.0.8078.79", "device_type": "Macintosh", "is_mobile": false, "ip_address": "203.0.113.24", "city": "Lisbon", "country": "PT"},
	{"browser_name": "Safari", "browser_version": "26.1", "device_type": "iPhone", "is_mobile": true, "ip_address": "198.51.100.7", "city": "Lisbon", "country": "PT"},
	{"browser_name": "Firefox", "browser_version": "152.0", "device_type": "Windows", "is_mobile": false, "ip_address": "192.0.2.91", "city": "Oslo", "country": "NO"},
}

// newSite starts a site where somebody is signed in on three devices, at a time
// that stands still.
func newSite(t *testing.T) *site {
	t.Helper()
	now := time.Date(2026, time.May, 4, 9, 30, 0, 0, time.UTC)
	w := newWorldAt(t, func() time.Time { return now }, func(o *Options) {
		o.Request = httpgate.Request
		o.Instance.SignInURL = "https://accounts.example.com/sign-in"
	})
	s := &site{world: w}
	used := []time.Duration{0, 3 * time.Hour, 9 * 24 * time.Hour}
	for i, device := range devices {
		session := w.signIn(t, "user_ada", "")
		object := w.api.find(session.ID)
		object["latest_activity"] = device
		object["last_active_at"] = now.Add(-used[i]).UnixMilli()
		object["created_at"] = now.Add(-used[i] - 26*time.Hour).UnixMilli()
		if i == 0 {
			s.here = append(s.here, session)
		} else {
			s.others = append(s.others, session)
		}
	}
	mux := http.NewServeMux()
	mux.Handle(DefaultPrefix+"/", w)
	mux.Handle(DefaultPrefix, w)
	mux.HandleFunc("/enter", func(rw http.ResponseWriter, r *http.Request) {
		for name, value := range map[string]string{"__session": w.clerk.Mint(s.here[0], clerktest.Token{}), "__client_uat": "1"} {
			http.SetCookie(rw, &http.Cookie{Name: name, Value: value, Path: "/", SameSite: http.SameSiteLaxMode})
		}
		http.Redirect(rw, r, DefaultPrefix, http.StatusSeeOther)
	})
	server, secure := httptest.NewServer(mux), httptest.NewTLSServer(mux)
	t.Cleanup(server.Close)
	t.Cleanup(secure.Close)
	s.url, s.secure = server.URL, secure.URL
	return s
}

// ended are the statuses of the sessions at Clerk.
func (s *site) status(session *clerktest.Session) string {
	s.api.mu.Lock()
	defer s.api.mu.Unlock()
	return s.api.find(session.ID)["status"].(string)
}

func TestBrowserListsAndRevokesByKeyboardAlone(t *testing.T) {
	b, s := startBrowser(t), newSite(t)
	b.do(chromedp.Navigate(s.url + "/enter"))
	if got := eval[[]string](b, `[...document.querySelectorAll("h3")].map(h => h.firstChild.textContent.trim())`); !slices.Equal(got,
		[]string{"Chrome 156 on Macintosh", "Safari 26 on iPhone", "Firefox 152 on Windows"}) {
		t.Errorf("the page lists %q", got)
	}
	var order []string
	for range 5 {
		b.do(chromedp.KeyEvent(kb.Tab))
		order = append(order, eval[string](b, `document.activeElement.textContent.trim()`))
		if outline := eval[string](b, `getComputedStyle(document.activeElement).outlineStyle`); outline != "solid" {
			t.Errorf("the focus on %q is not to be seen: %s", order[len(order)-1], outline)
		}
	}
	want := []string{"Sign out here", "Switch account", "Sign out Safari 26 on iPhone, Lisbon, PT", "Sign out Firefox 152 on Windows, Oslo, NO", "Sign out everywhere"}
	if !slices.Equal(order, want) {
		t.Errorf("the keyboard goes through %q", order)
	}
	b.do(chromedp.KeyEvent(kb.Tab, chromedp.KeyModifiers(chromedp.ModifierShift)), chromedp.KeyEvent(kb.Enter), chromedp.WaitVisible(`[role=status]`))
	if s.status(s.others[1]) != "revoked" || s.status(s.others[0]) != "active" || s.status(s.here[0]) != "active" {
		t.Errorf("statuses: %s, %s, %s", s.status(s.here[0]), s.status(s.others[0]), s.status(s.others[1]))
	}
	if !slices.Contains(s.api.calls(), "edge "+s.others[1].ID) {
		t.Error("the edge was not told")
	}
	if n := eval[int](b, `document.querySelectorAll("h3").length`); n != 2 {
		t.Errorf("%d devices are left", n)
	}
	b.quiet()
}

func TestBrowserSignsOutEverywhere(t *testing.T) {
	b, s := startBrowser(t), newSite(t)
	b.do(chromedp.Navigate(s.url+"/enter"), chromedp.Click(`form[action$="everywhere"] button`), chromedp.WaitVisible(`a[href="/"]`))
	if h := eval[string](b, `document.querySelector("h1").textContent`); h != "You are signed out" {
		t.Errorf("the page says %q", h)
	}
	for _, session := range append(s.others, s.here...) {
		if s.status(session) != "revoked" || !slices.Contains(s.api.calls(), "edge "+session.ID) {
			t.Errorf("%s goes on", session.ID)
		}
	}
	if cookies := eval[string](b, `document.cookie`); cookies != "" {
		t.Errorf("cookies are left: %q", cookies)
	}
	b.quiet()
}

// Somebody signs out on a shared computer and walks away. Whoever presses Back sees
// nothing of theirs.
func TestBrowserShowsNothingByTheBackButton(t *testing.T) {
	for _, press := range []string{"everywhere", "sign-out", "/revoke"} {
		for _, secure := range []bool{false, true} {
			t.Run(fmt.Sprintf("%s, https %v", press, secure), func(t *testing.T) {
				b, s := startBrowser(t), newSite(t)
				at := s.url
				if secure {
					at = s.secure
				}
				b.do(chromedp.Navigate(at + "/enter"))
				if text := eval[string](b, `document.body.innerText`); !strings.Contains(text, "203.0.113.24") {
					t.Fatalf("the page does not list this device: %s", text)
				}
				if press == "/revoke" { // of this very session
					eval[any](b, `document.querySelector('form[action$="/sign-out"]').action = "`+DefaultPrefix+"/"+s.here[0].ID+`/revoke"`)
					b.do(chromedp.Click(`form[action$="/revoke"] button`), chromedp.WaitVisible(`a[href="/"]`))
				} else {
					b.do(chromedp.Click(`form[action$="`+press+`"] button`), chromedp.WaitVisible(`a[href="/"]`))
				}
				for range 3 {
					eval[any](b, `void setTimeout(() => history.back(), 10)`)
					time.Sleep(300 * time.Millisecond)
					if text := eval[string](b, `document.documentElement.innerText`); strings.Contains(text, "203.0.113.24") || strings.Contains(text, "Lisbon") {
						t.Fatalf("Back shows %s", text)
					}
				}
			})
		}
	}
}

// Names tell controls apart, landmarks and headings are there, and the page fits
// on a phone.
func TestBrowserReadsThePageAloud(t *testing.T) {
	b, s := startBrowser(t), newSite(t)
	b.do(chromedp.Navigate(s.url + "/enter"))
	for expression, why := range map[string]string{
		`document.documentElement.lang === "en" && document.title !== ""`:                                                                   "the page has a language and a title",
		`document.querySelectorAll("main").length === 1 && document.querySelectorAll("h1").length === 1`:                                    "there is one main landmark and one heading above all",
		`[...document.querySelectorAll("section")].every(s => document.getElementById(s.getAttribute("aria-labelledby")))`:                  "every section has a name",
		`new Set([...document.querySelectorAll("button,a")].map(b => b.textContent)).size === document.querySelectorAll("button,a").length`: "no two controls have the same name",
		`[...document.querySelectorAll("time")].every(t => !isNaN(Date.parse(t.dateTime)))`:                                                 "times can be read by machines",
		`document.scripts.length === 0`: "there is no script",
	} {
		if !eval[bool](b, expression) {
			t.Errorf("not so: %s", why)
		}
	}
	for _, scheme := range []string{"light", "dark"} {
		b.do(prefer(scheme))
		if ratio := eval[float64](b, leastContrast); ratio < 4.5 {
			t.Errorf("in %s colours a text has a contrast of %.2f", scheme, ratio)
		}
	}
	b.do(chromedp.EmulateViewport(320, 640))
	if !eval[bool](b, `document.documentElement.scrollWidth <= 320`) {
		t.Error("the page is wider than a phone")
	}
	if least := eval[float64](b, `Math.min(...[...document.querySelectorAll("button,a.button")].map(b => b.getBoundingClientRect().height))`); least < 44 {
		t.Errorf("a control is %v pixels high", least)
	}
	b.quiet()
}

// leastContrast is the least contrast between a text and what is behind it (WCAG
// 2.2, success criterion 1.4.3), over all texts of the page.
const leastContrast = `(() => {
	const canvas = document.createElement("canvas").getContext("2d", {willReadFrequently: true});
	const rgb = colour => { canvas.fillStyle = colour; canvas.fillRect(0, 0, 1, 1); return [...canvas.getImageData(0, 0, 1, 1).data] };
	const light = colour => rgb(colour).slice(0, 3).map(v => v / 255).map(v => v <= .04045 ? v / 12.92 : ((v + .055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [.2126, .7152, .0722][i], 0);
	const behind = e => { for (; e; e = e.parentElement) { const c = getComputedStyle(e).backgroundColor; if (c !== "rgba(0, 0, 0, 0)") return c } return "Canvas" };
	const texts = [...document.querySelectorAll("main *")].filter(e => [...e.childNodes].some(n => n.nodeType === 3 && n.textContent.trim()));
	return Math.min(...texts.map(e => {
		const [a, b] = [light(getComputedStyle(e).color), light(behind(e))].sort((x, y) => y - x);
		return (a + .05) / (b + .05);
	}));
})()`

// quiet fails where the browser has complained so far: of what the page's policy
// forbids, say.
func (b *browser) quiet() {
	b.t.Helper()
	const end = "that is all"
	eval[any](b, `console.log("`+end+`")`)
	for said := range b.complaints {
		if strings.Contains(said, end) {
			return
		}
		if !strings.Contains(said, "favicon") {
			b.t.Errorf("the console says %s", said)
		}
	}
	b.t.Error("the console fell silent")
}

// The pictures in the documentation are the page as it is.
func TestBrowserTakesThePicturesOfTheDocumentation(t *testing.T) {
	b, s := startBrowser(t), newSite(t)
	images := filepath.Join("..", "..", "docs", "images")
	for _, c := range []struct {
		file, scheme  string
		width, height int64
	}{
		{"sessions-light.png", "light", 820, 900}, {"sessions-dark.png", "dark", 820, 900}, {"sessions-phone.png", "light", 375, 812},
	} {
		b.do(chromedp.EmulateViewport(c.width, c.height), prefer(c.scheme), chromedp.Navigate(s.url+"/enter"))
		picture, err := chromedp.Run(b.ctx, chromedp.FullScreenshot(100))
		if err != nil {
			t.Fatal(err)
		}
		if dark := eval[bool](b, `matchMedia("(prefers-color-scheme: dark)").matches`); dark != (c.scheme == "dark") {
			t.Errorf("%s is in the wrong colours", c.file)
		}
		path := filepath.Join(images, c.file)
		if *update {
			if err := os.MkdirAll(images, 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(path, picture, 0o644); err != nil {
				t.Fatal(err)
			}
		}
		if kept, err := os.ReadFile(path); err != nil || !strings.HasPrefix(string(kept), "\x89PNG") || len(kept) > 256<<10 {
			t.Errorf("%s: %v, %d bytes; run with -update", c.file, err, len(kept))
		}
	}
}
