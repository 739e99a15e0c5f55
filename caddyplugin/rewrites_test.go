package caddyplugin

import (
	"fmt"
	"net"
	"net/http"
	"net/http/fcgi"
	"os"
	"path/filepath"
	"strings"
	"testing"

	_ "github.com/caddyserver/caddy/v2/modules/caddyhttp/reverseproxy/fastcgi"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// startPHP is an application that routes as PHP frameworks do: by REQUEST_URI.
func startPHP(t *testing.T) (address, root string) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	served := make(chan struct{})
	go func() {
		defer close(served)
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // until it is closed
			fmt.Fprintf(w, "%s as %q", r.URL.RequestURI(), r.Header.Get("X-User-Id"))
		}))
	}()
	t.Cleanup(func() {
		l.Close()
		<-served
	})
	root = t.TempDir()
	for name, text := range map[string]string{"index.php": "<?php", "index.html": "the page", "app.css": "css"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return l.Addr().String(), root
}

// FastCGI upstreams go by what the client sent, all others by what it was rewritten
// to. Both are judged.
func TestRewritesLeadAroundNoGuard(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	php, root := startPHP(t)
	for name, c := range map[string]struct {
		rewrite string
		want    map[string]int
	}{
		"none":            {"", map[string]int{"/admin/users": 401, "/page": 200, "/index.php/admin": 401, "/app.php/admin": 401, "/x/index.php/admin": 401, "/App.PHP//admin": 401}},
		"try_files":       {"try_files {path} /index.php", map[string]int{"/admin/users": 401, "/ADMIN/users": 401, "//x/admin/users": 401, "/page": 200}},
		"rewrite":         {"@app not path /index.php /assets/*\n\trewrite @app /index.php", map[string]int{"/admin/users": 401, "/page": 200}},
		"with a query":    {"rewrite /index.php?{query}", map[string]int{"/admin/users?a=b": 401, "/page?a=b": 200}},
		"a prefix":        {"uri strip_prefix /v1", map[string]int{"/v1/admin/users": 401, "/admin/users": 401, "/v1/page": 200}},
		"onto the guard":  {"rewrite /page /admin/page", map[string]int{"/page": 401, "/other": 200}},
		"a dot segment":   {"rewrite /index.php", map[string]int{"/x/..%2fadmin": 400}},
		"and back again":  {"rewrite /admin* /index.php\n\trewrite /index.php /page", map[string]int{"/admin": 401}},
		"by map":          {"map {path} {to} {\n /page /admin/page\n default /open\n}\nrewrite * {to}", map[string]int{"/page": 401, "/other": 200, "/admin": 401}},
		"by the client":   {"rewrite * /{query.p}", map[string]int{"/?p=admin": 401, "/?p=%2fadmin": 401, "/?p=%61dmin": 401, "/?p=%2561dmin": 401, "/?p=../admin": 400, "/?p=page": 200}},
		"by expression":   {"uri path_regexp /+(.*)gone /$1", map[string]int{"/admingone": 401, "/adgonemin": 401, "/pagegone": 200}},
		"a suffix":        {"uri strip_suffix .bak", map[string]int{"/admin.bak": 401, "/admin/x.bak": 401, "/page.bak": 200}},
		"a stripped path": {"uri replace /admin /open", map[string]int{"/admin/users": 401, "/page": 200}},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, `	root * `+root+`
	`+c.rewrite+`
	clerk_auth {
		publishable_key `+clerk.PublishableKey()+`
		jwt_key "`+clerk.PublicKeyPEM()+`"
		rule admin {
			path /admin(.*)
			role org:admin
		}
		default public
	}
	php_fastcgi `+php+`
`)
			for target, want := range c.want {
				if response, body := s.get(target, ""); response.StatusCode != want {
					t.Errorf("%s: %d %s, want %d", target, response.StatusCode, body, want)
				}
			}
		})
	}
}

// A single-page app whose rewrite comes before clerk_auth, as people paste it: the
// sign-in page shows, assets too, and pages send to sign-in once.
func TestSinglePageAppBehindARewrite(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	_, root := startPHP(t)
	for name, lines := range map[string]string{
		"public /":            "public / /sign-in(.*)",
		"with static files":   "bypass static_files\n\t\tpublic / /sign-in(.*)",
		"without a public /":  "bypass static_files\n\t\tpublic /sign-in(.*)",
		"nothing but sign-in": "public /sign-in(.*)",
	} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, `	root * `+root+`
	clerk_auth {
		publishable_key `+clerk.PublishableKey()+`
		jwt_key "`+clerk.PublicKeyPEM()+`"
		sign_in_url /sign-in
		`+lines+`
		rule admin {
			path /admin(.*)
			role org:admin
		}
	}
	try_files {path} /index.html
	file_server
`)
			browser := "Accept: text/html\r\nSec-Fetch-Mode: navigate\r\nSec-Fetch-Dest: document\r\n"
			for _, target := range []string{"/dashboard", "/admin/users", "/Dashboard?x=1", "/index.html/"} {
				if response, body := s.get(target, browser); response.StatusCode < 300 || strings.Contains(body, "the page") {
					t.Errorf("%s: %d %s", target, response.StatusCode, body)
				}
			}
			response, _ := s.get("/sign-in?redirect_url=x", browser)
			if to := response.Header.Get("Location"); strings.Contains(to, "/sign-in?redirect_url") && !strings.Contains(to, "handshake") {
				t.Errorf("the sign-in page leads to %s", to)
			}
			opened := strings.Contains(lines, "public / ") || strings.Contains(lines, "bypass")
			if response, _ := s.get("/sign-in?redirect_url=x", ""); (response.StatusCode == 200) != opened {
				t.Errorf("sign-in: %d", response.StatusCode)
			}
			if response, _ := s.get("/app.css", ""); strings.Contains(lines, "static") && response.StatusCode != 200 {
				t.Errorf("asset: %d", response.StatusCode)
			}
		})
	}
}

// What a template includes over HTTP is judged as what the browser asked for is.
func TestTemplatesIncludeWhatMayBeSeen(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	root := t.TempDir()
	for name, text := range map[string]string{
		"open.html":   `{{httpInclude "/part.txt"}}`,
		"closed.html": `{{httpInclude "/admin.txt"}}`,
		"part.txt":    "a part", "admin.txt": "a secret",
	} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startSite(t, `	root * `+root+`
	clerk_auth {
		publishable_key `+clerk.PublishableKey()+`
		jwt_key "`+clerk.PublicKeyPEM()+`"
		rule admin {
			path /admin(.*)
		}
		default public
	}
	templates
	file_server
`)
	if response, body := s.get("/open.html", ""); response.StatusCode != 200 || body != "a part" {
		t.Errorf("%d %s", response.StatusCode, body)
	}
	if response, body := s.get("/closed.html", ""); response.StatusCode == 200 || strings.Contains(body, "secret") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}
