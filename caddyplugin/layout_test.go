package caddyplugin

import (
	"encoding/json"
	"io"
	"net"
	"net/http"
	"net/http/fcgi"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// gateLines are a clerk_auth whose keys are known.
func gateLines(clerk *clerktest.Instance, matcher, more string) string {
	return "	clerk_auth " + matcher + " {\n		publishable_key " + clerk.PublishableKey() + "\n		jwt_key \"" + clerk.PublicKeyPEM() + "\"\n" + more + "	}\n"
}

// echo answers with what an application would believe.
func echo(t *testing.T) string {
	t.Helper()
	app := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_ = json.NewEncoder(w).Encode(map[string]string{"method": r.Method, "uri": r.URL.RequestURI(), "user": r.Header.Get("X-User-Id"), "original": r.Header.Get("X-Original-Url")})
	}))
	t.Cleanup(app.Close)
	return strings.TrimPrefix(app.URL, "http://")
}

// forged are the headers of somebody who claims to be somebody, somewhere else.
const forged = "X-User-Id: user_forged\r\nX-Org-Role: org:admin\r\nX-Original-Url: /forged\r\n"

// What a Caddyfile does to requests that no clerk_auth has seen is said when it is
// loaded. want is part of the error, or of the only warning with a leading "?".
var layouts = map[string]struct{ lines, want string }{
	"on top":           {"GATE\n reverse_proxy app:1", ""},
	"with a matcher":   {"GATE /admin*\n reverse_proxy app:1", ""},
	"in a route":       {"route {\n GATE\n try_files {path} /index.html\n file_server\n}", ""},
	"in every handle":  {"handle /a* {\n GATE\n reverse_proxy app:1\n}\nhandle {\n GATE\n reverse_proxy app:2\n}", ""},
	"beside files":     {"handle /a* {\n GATE\n reverse_proxy app:1\n}\nhandle {\n file_server\n}", ""},
	"beside answers":   {"handle /a* {\n GATE\n reverse_proxy app:1\n}\nhandle {\n respond hello\n}\nredir /x /y", ""},
	"beside strip":     {"handle /a* {\n GATE\n reverse_proxy app:1\n}\nhandle {\n clerk_strip\n reverse_proxy app:2\n}", ""},
	"strip on top":     {"clerk_strip\nhandle /a* {\n GATE\n reverse_proxy app:1\n}\nreverse_proxy app:2", ""},
	"on top and below": {"GATE\nhandle /a* {\n GATE\n reverse_proxy app:1\n}\nreverse_proxy app:2", ""},

	"in one handle":           {"handle /a* {\n GATE\n reverse_proxy app:1\n}\nhandle {\n reverse_proxy app:2\n}", "reverse_proxy to app:2 receives requests that no clerk_auth has checked"},
	"handle before":           {"handle /a* {\n reverse_proxy app:2\n}\nhandle {\n GATE\n reverse_proxy app:1\n}", "reverse_proxy to app:2"},
	"in one handle_path":      {"handle_path /a* {\n GATE\n reverse_proxy app:1\n}\nreverse_proxy app:2", "reverse_proxy to app:2"},
	"in a route with matcher": {"route /a* {\n GATE\n}\nreverse_proxy app:2", "reverse_proxy to app:2"},
	"behind a proxy":          {"route {\n reverse_proxy /open/* app:2\n GATE\n reverse_proxy app:1\n}", "reverse_proxy to app:2"},
	"deep inside":             {"handle /a* {\n handle /a/b* {\n  GATE\n  reverse_proxy app:1\n }\n handle {\n  php_fastcgi app:2\n }\n}", "reverse_proxy to app:2"},
	"invoked beside":          {"handle /a* {\n GATE\n reverse_proxy app:1\n}\nhandle {\n invoke open\n}", "reverse_proxy to named:1"},

	"matcher too early":    {"@member clerk user user_1\nredir @member /home\nGATE\nreverse_proxy app:1", "a matcher clerk is evaluated before clerk_auth"},
	"not matcher too":      {"@guest not clerk user user_1\nredir @guest /home\nGATE\nreverse_proxy app:1", "a matcher clerk is evaluated before clerk_auth"},
	"matcher behind":       {"@member clerk user user_1\nGATE\nhandle @member {\n respond hello\n}\nreverse_proxy app:1", ""},
	"matcher in a route":   {"@member clerk user user_1\nroute {\n GATE\n redir @member /home\n reverse_proxy app:1\n}", ""},
	"try_files too early":  {"try_files {path} /index.html\nGATE\nfile_server", "?judges /index.html"},
	"rewrite of all":       {"rewrite * /index.html\nGATE\nfile_server", "?judges /index.html"},
	"rewrite of one":       {"rewrite /old /new\nGATE\nreverse_proxy app:1", ""},
	"try_files or nothing": {"try_files {path} =404\nGATE\nfile_server", ""},

	"intercept before":           {"route {\n intercept {\n  handle_response {\n   file_server\n  }\n }\n GATE\n reverse_proxy app:1\n}", "intercept comes before clerk_auth"},
	"intercept before, forwards": {"route {\n intercept {\n  handle_response {\n   reverse_proxy app:2\n  }\n }\n GATE\n reverse_proxy app:1\n}", "reverse_proxy to app:2 receives"},
	"intercept with a page":      {"route {\n intercept {\n  handle_response {\n   rewrite * /page.html\n   file_server\n  }\n }\n GATE\n reverse_proxy app:1\n}", ""},
	"intercept behind":           {"GATE\nintercept {\n handle_response {\n  file_server\n }\n}\nreverse_proxy app:1", ""},

	"errors forwarded":               {"GATE\nreverse_proxy app:1\nhandle_errors {\n reverse_proxy app:1\n}", "?error routes pass the denied request to reverse_proxy to app:1"},
	"errors served":                  {"GATE\nfile_server\nhandle_errors {\n file_server\n}", "?error routes pass the denied request to file_server"},
	"errors rewritten for one":       {"GATE\nfile_server\nhandle_errors {\n @404 expression `{err.status_code} == 404`\n rewrite @404 /404.html\n file_server\n}", "?error routes pass the denied request to file_server"},
	"errors rewritten":               {"GATE\nfile_server\nhandle_errors {\n rewrite * /{err.status_code}.html\n file_server\n}", ""},
	"errors answered":                {"GATE\nfile_server\nhandle_errors {\n respond {err.status_code}\n}", ""},
	"errors by original":             {"GATE\nfile_server\nhandle_errors {\n rewrite * {http.request.orig_uri}\n file_server\n}", "pass the denied request to rewrite, by {http.request.orig_uri}"},
	"errors tried":                   {"GATE\nfile_server\nhandle_errors {\n try_files {http.request.orig_uri.path} /404.html\n file_server\n}", "pass the denied request to try_files"},
	"errors replaced":                {"GATE\nfile_server\nhandle_errors {\n uri replace /x {http.request.orig_uri.path}\n file_server\n}", "pass the denied request to rewrite"},
	"errors of another root":         {"GATE\nfile_server\nhandle_errors {\n root * /srv{http.request.orig_uri.path.dir}\n rewrite * /{err.status_code}.html\n file_server\n}", "pass the denied request to vars"},
	"errors rewritten by proxy":      {"GATE\nreverse_proxy app:1\nhandle_errors {\n reverse_proxy app:1 {\n  rewrite {http.request.orig_uri}\n }\n}", "pass the denied request to reverse_proxy"},
	"errors by variable":             {"vars want {path}\nGATE\nfile_server\nhandle_errors {\n rewrite * {vars.want}\n templates\n}", "?may pass the denied request to rewrite, by {http.vars.want}"},
	"errors by a variable of theirs": {"GATE\nfile_server\nhandle_errors {\n vars want {http.request.orig_uri.path}\n rewrite * {vars.want}\n file_server\n}", "pass the denied request to rewrite, by {http.vars.want}"},
	"errors by a map of theirs":      {"GATE\nfile_server\nhandle_errors {\n map {http.request.orig_uri.path} {want} {\n  ~(.*) ${1}\n }\n rewrite * {want}\n file_server\n}", "pass the denied request to rewrite, by {want}"},
	"errors by a match of theirs":    {"GATE\nfile_server\nhandle_errors {\n @all vars_regexp all {http.request.orig_uri.path} ^(.*)$\n rewrite @all {re.all.1}\n file_server\n}", "pass the denied request to rewrite, by {http.regexp.all.1}"},
	"errors by a header":             {"GATE\nfile_server\nhandle_errors {\n rewrite * /{header.X-Page}\n templates\n}", "?may pass the denied request to rewrite, by {http.request.header.X-Page}"},
	"errors of this host":            {"GATE\nfile_server\nhandle_errors {\n vars page {http.request.orig_uri}\n rewrite * /{host}/{err.status_code}.html\n file_server\n}", ""},
	"errors of their own root":       {"root * /srv\nGATE\nfile_server\nhandle_errors {\n root * /errors\n rewrite * /{err.status_code}.html\n file_server\n}", ""},
	"errors told":                    {"GATE\nfile_server\nhandle_errors {\n respond {http.request.orig_uri} 401\n}", ""},
	"intercept, same path":           {"route {\n intercept {\n  handle_response {\n   rewrite * {path}\n   file_server\n  }\n }\n GATE\n reverse_proxy app:1\n}", "intercept comes before clerk_auth"},
	"rewrite with a query":           {"rewrite * /index.php?{query}\nGATE\nfile_server", "?judges /index.php"},
	"errors judged":                  {"GATE\nfile_server\nhandle_errors {\n GATE\n reverse_proxy app:1\n}", ""},
}

func TestWhatNoGateHasSeenIsFoundWhenTheConfigurationIsLoaded(t *testing.T) {
	for name, c := range layouts {
		t.Run(name, func(t *testing.T) {
			lines := strings.ReplaceAll(c.lines, "GATE", "clerk_auth")
			// As Caddy makes of one site alone, and of one of several.
			for _, sites := range []string{"http://:7080 {\n" + lines + "\n}", "http://a.example:7080 {\n" + lines + "\n}\nhttp://b.example:7080 {\n reverse_proxy other:1\n}"} {
				config := `{
	admin off
	auto_https off
	clerk {
		publishable_key pk_test_Y2xlcmsubG9jYWxob3N0JA
	}
}
&(open) {
	reverse_proxy named:1
}
` + sites
				var parsed struct {
					Apps struct{ HTTP json.RawMessage }
				}
				if err := json.Unmarshal([]byte(adapted(t, config)), &parsed); err != nil {
					t.Fatal(err)
				}
				found := layoutOf(t, parsed.Apps.HTTP)
				switch want, warns := strings.CutPrefix(c.want, "?"); {
				case c.want == "" && len(found.errors)+len(found.warnings) > 0:
					t.Errorf("found %v, want nothing", found)
				case warns && (len(found.errors) > 0 || len(found.warnings) != 1 || !strings.Contains(found.warnings[0].String(), want)):
					t.Errorf("found %v, want one warning with %q", found, want)
				case !warns && c.want != "" && (len(found.errors) != 1 || !strings.Contains(found.errors[0], want)):
					t.Errorf("found %v, want one error with %q", found, want)
				}
			}
		})
	}
}

// layoutOf is what is found in the only server of an adapted configuration.
func layoutOf(t *testing.T, text json.RawMessage) findings {
	t.Helper()
	var app caddyhttp.App
	if err := json.Unmarshal(text, &app); err != nil {
		t.Fatal(err)
	}
	for _, server := range app.Servers {
		return checkLayout(server)
	}
	t.Fatal("there is no server")
	return findings{}
}

// The same is found while Caddy makes its modules, where some are made and others
// not yet.
func TestALayoutThatLeavesForgedIdentityIsRefused(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	s := &site{t: t, admin: "off", address: "127.0.0.1:0"}
	for name, c := range layouts {
		if strings.Contains(c.lines, "invoke") {
			continue // the site is all that this Caddyfile has
		}
		lines := c.lines
		for _, matcher := range []string{" /admin*", ""} {
			lines = strings.ReplaceAll(lines, "GATE"+matcher, strings.TrimSpace(gateLines(clerk, matcher, "")))
		}
		var config caddy.Config
		if err := json.Unmarshal([]byte(adapted(t, s.caddyfile(lines))), &config); err != nil {
			t.Fatal(err)
		}
		err := caddy.Validate(&config)
		switch refused := c.want != "" && c.want[0] != '?'; {
		case !refused && err != nil:
			t.Errorf("%s: %v", name, err)
		case refused && (err == nil || !strings.Contains(err.Error(), c.want)):
			t.Errorf("%s: %v, want an error with %q", name, err, c.want)
		}
	}
}

// Behind a clerk_auth with a matcher nothing keeps an identity that the client
// claims, and no spelling of a path that is judged passes for another.
func TestAMatcherLeavesNoForgedIdentityAndNoSpellingUnjudged(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	app := echo(t)
	for _, c := range []struct {
		matchers, gate string
		judged, open   []string
	}{
		{"", "/admin*", []string{"/admin", "/admin/x", "//admin/x", "/ADMIN/x", "/;/admin/x", "/admin;x/y", "/index.php/admin", "/%EF%BD%81dmin/x", "/%61dmin"}, []string{"/", "/other", "/x/admin"}},
		{"", "/admin/*", []string{"/admin/", "/admin/x", "/Admin/x", "/admin", "/admin;x"}, []string{"/administration", "/other"}},
		{"@in path /admin /staff/*", "@in", []string{"/admin", "/admin/", "/admin.json", "/staff/x", "/STAFF/x"}, []string{"/other"}},
		{"@in not path /open/*", "@in", []string{"/", "/other", "/open//../admin", "/x/open/"}, []string{"/open/x", "/open/x?y=/admin"}},
		{"@in path_regexp ^/admin", "@in", []string{"/admin", "/ADMIN", "//admin", "/%61dmin"}, []string{"/other"}},
		{"@in expression `{path}.startsWith('/admin')`", "@in", []string{"/admin", "/ADMIN", "//admin"}, []string{"/other"}},
	} {
		t.Run(c.matchers+" "+c.gate, func(t *testing.T) {
			s := startSite(t, c.matchers+"\n"+gateLines(clerk, c.gate, "")+"\nreverse_proxy "+app+"\n")
			for _, target := range c.judged {
				if response, body := s.get(target, forged); response.StatusCode != 401 && response.StatusCode != 400 {
					t.Errorf("%s: %d %s, want a refusal", target, response.StatusCode, body)
				}
			}
			for _, target := range c.open {
				response, body := s.get(target, forged)
				if response.StatusCode != 200 || strings.Contains(body, "forged") {
					t.Errorf("%s: %d %s, want 200 without the forged identity", target, response.StatusCode, body)
				}
			}
		})
	}
}

// Two gates with matchers: what the one says of the user is kept by the other.
func TestGatesWithMatchersKeepEachOthersIdentity(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	app := echo(t)
	s := startSite(t, gateLines(clerk, "/a*", "")+gateLines(clerk, "/b*", "")+"\nreverse_proxy "+app+"\n")
	session, err := clerk.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	token := "Authorization: Bearer " + clerk.Mint(session, clerktest.Token{}) + "\r\n"
	for target, want := range map[string]string{"/a": `"user":"user_ada"`, "/b": `"user":"user_ada"`, "/c": `"user":""`} {
		if response, body := s.get(target, token+forged); response.StatusCode != 200 || !strings.Contains(body, want) || strings.Contains(body, "forged") {
			t.Errorf("%s: %d %s, want %s", target, response.StatusCode, body, want)
		}
	}
}

func TestStripTakesWhatNoClientMaySend(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	app := echo(t)
	s := startSite(t, "handle /a* {\n"+gateLines(clerk, "", "")+"reverse_proxy "+app+"\n}\nhandle {\nclerk_strip\nreverse_proxy "+app+"\n}\n")
	if response, body := s.get("/other", forged+"Authorization: Basic eA==\r\n"); response.StatusCode != 200 || strings.Contains(body, "forged") {
		t.Errorf("%d %s", response.StatusCode, body)
	}
}

// siteWithSecrets is a directory with a file that is guarded, and error pages.
func siteWithSecrets(t *testing.T) string {
	t.Helper()
	root := t.TempDir()
	for name, text := range map[string]string{"report.txt": "SECRET", "index.html": "SECRET INDEX", "401.html": "page 401", "404.html": "page 404"} {
		if err := os.WriteFile(filepath.Join(root, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

// What was refused is not served by error routes, whatever they do.
func TestARefusalIsFinal(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	app := echo(t)
	gate := gateLines(clerk, "", "public /public\n")
	for name, c := range map[string]struct {
		lines, target string
		status        int
		body          string
	}{
		"files":                  {gate + "file_server\nhandle_errors {\n file_server\n}", "/report.txt", 401, ""},
		"files after one page":   {gate + "file_server\nhandle_errors {\n @404 expression `{err.status_code} == 404`\n rewrite @404 /404.html\n file_server\n}", "/report.txt", 401, ""},
		"files of the directory": {gate + "file_server\nhandle_errors {\n file_server\n}", "/", 401, ""},
		"files found":            {gate + "file_server\nhandle_errors {\n try_files {path} /{err.status_code}.html\n file_server\n}", "/report.txt", 401, "page 401"},
		"page":                   {gate + "file_server\nhandle_errors {\n rewrite * /{err.status_code}.html\n file_server\n}", "/report.txt", 401, "page 401"},
		"page by template":       {gate + "file_server\nhandle_errors {\n rewrite * /{err.status_code}.html\n templates\n file_server\n}", "/report.txt", 401, "page 401"},
		"text":                   {gate + "file_server\nhandle_errors {\n respond \"{err.status_code} {uri}\" 401\n}", "/report.txt?x", 401, "401 /report.txt?x"},
		"text by path":           {gate + "file_server\nhandle_errors {\n @api path /api/*\n respond @api json 401\n respond html 401\n}", "/api/x", 401, "json"},
		"text by original":       {gate + "file_server\nhandle_errors {\n @f path /x\n file_server @f\n respond {http.request.orig_uri} 401\n}", "/report.txt", 401, "/report.txt"},
		"app":                    {gate + "reverse_proxy APP\nhandle_errors {\n reverse_proxy APP\n}", "/admin/users", 200, `{"method":"GET","original":"","uri":"/__clerkgate/refused","user":""}`},
		"app with a page":        {gate + "reverse_proxy APP\nhandle_errors {\n rewrite * /errors/{err.status_code}\n reverse_proxy APP\n}", "/admin/users", 200, `{"method":"GET","original":"","uri":"/errors/401","user":""}`},
		"file by variable":       {"vars want {path}\n" + gate + "file_server\nhandle_errors {\n rewrite * {vars.want}\n file_server\n}", "/report.txt", 401, ""},
		"index by variable":      {"vars want {path}\n" + gate + "file_server\nhandle_errors {\n rewrite * {vars.want}\n file_server\n}", "/", 401, ""},
		"file tried by variable": {"vars want {uri}\n" + gate + "file_server\nhandle_errors {\n try_files {vars.want} /401.html\n file_server\n}", "/report.txt", 401, ""},
		"file by a match":        {"@all path_regexp all ^/(.*)[.]txt$\nvars @all x y\n" + gate + "file_server\nhandle_errors {\n rewrite * /{re.all.1}.txt\n file_server\n}", "/report.txt", 401, ""},
		"file by a map":          {"map {http.request.orig_uri.path} {want} {\n ~(.*) ${1}\n}\n" + gate + "file_server\nhandle_errors {\n rewrite * {want}\n file_server\n}", "/REPORT.txt/../report.txt", 400, ""},
		"another file by a map":  {"map {http.request.orig_uri.path} {want} {\n /report /report.txt\n default /401.html\n}\n" + gate + "file_server\nhandle_errors {\n rewrite * {want}\n file_server\n}", "/report", 401, ""},
		"file by an invoked one": {"vars want {path}\n" + gate + "file_server\nhandle_errors {\n invoke wanted\n}", "/report.txt", 401, ""},
		"page by variable":       {"vars of {path}\nvars page 401\n" + gate + "file_server\nhandle_errors {\n rewrite * /{vars.page}.html\n file_server\n}", "/report.txt", 401, "page 401"},
		"page by locale":         {"@l path_regexp l ^/([0-9]+)/\nvars @l x y\n" + gate + "file_server\nhandle_errors {\n rewrite * /{re.l.1}.html\n file_server\n}", "/401/report.txt", 401, "page 401"},
		"app by variable":        {"vars want {uri}\n" + gate + "reverse_proxy APP\nhandle_errors {\n rewrite * {vars.want}\n reverse_proxy APP\n}", "/admin/users?x=1", 401, ""},
		"not found, by variable": {"vars want {path}\ntry_files /missing =404\n" + gate + "file_server\nhandle_errors {\n rewrite * {vars.want}\n file_server\n}", "/report.txt", 404, ""},
		"file found before":      {"@f file {path}\nheader @f X-Found yes\n" + gate + "file_server\nhandle_errors {\n rewrite * {file_match.relative}\n file_server\n}", "/report.txt", 401, ""},
		"file found inside":      {gate + "file_server\nhandle_errors {\n @p file /{err.status_code}.html\n handle @p {\n  rewrite * {file_match.relative}\n  file_server\n }\n}", "/report.txt", 401, "page 401"},
		"failed before":          {"try_files {path} =404\n" + gate + "file_server\nhandle_errors {\n reverse_proxy APP\n}", "/admin/x", 200, `{"method":"GET","original":"","uri":"/__clerkgate/refused","user":""}`},
		"failed before, judged":  {"try_files {path} =404\n" + gate + "file_server\nhandle_errors {\n" + gate + "reverse_proxy APP\n}", "/admin/x", 401, ""},
		"failed before, open":    {"try_files {path} =404\n" + gate + "file_server\nhandle_errors {\n" + gate + "reverse_proxy APP\n}", "/public", 200, `{"method":"POST","original":"","uri":"/public","user":""}`},
		"failed behind":          {gate + "file_server\nhandle_errors {\n reverse_proxy APP\n}", "/public", 200, `{"method":"POST","original":"","uri":"/public","user":""}`},
	} {
		t.Run(name, func(t *testing.T) {
			s := startSite(t, "root * "+siteWithSecrets(t)+"\n"+strings.ReplaceAll(c.lines, "APP", app))
			method := "GET"
			if strings.Contains(c.body, "POST") {
				method = "POST"
			}
			response, body := s.ask(method + " " + c.target + " HTTP/1.1\r\nHost: " + s.address + "\r\nConnection: close\r\n" + forged + "\r\n")
			body = strings.TrimSpace(body)
			if response.StatusCode != c.status || strings.Contains(body, "SECRET") || c.body != "" && body != c.body {
				t.Errorf("%d %s; want %d %s", response.StatusCode, body, c.status, c.body)
			}
		})
	}
}

// PHP takes the target from REQUEST_URI, which Caddy sets to what the client sent.
func TestErrorRoutesTellPHPNothingOfWhatWasRefused(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	go func() {
		_ = fcgi.Serve(l, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { // ends with the listener
			_, _ = io.WriteString(w, r.Method+" "+r.URL.RequestURI()+" "+r.Header.Get("X-User-Id"))
		}))
	}()
	root := t.TempDir()
	for _, name := range []string{"index.php", "error.php"} {
		if err := os.WriteFile(filepath.Join(root, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	s := startSite(t, "root * "+root+"\n"+gateLines(clerk, "", "")+"php_fastcgi "+l.Addr().String()+"\nhandle_errors {\n rewrite * /error.php\n php_fastcgi "+l.Addr().String()+"\n}\n")
	response, body := s.ask("POST /admin/users HTTP/1.1\r\nHost: " + s.address + "\r\nConnection: close\r\nContent-Length: 0\r\n" + forged + "\r\n")
	if want := "GET /__clerkgate/refused "; body != want {
		t.Errorf("%d, PHP was asked for %q, want %q", response.StatusCode, body, want)
	}
}

// What passes unjudged opens no tunnel either.
func TestNoTunnelPastAMatcher(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	var upgrade atomic.Value
	app := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { upgrade.Store(r.Header.Get("Upgrade")) }))
	defer app.Close()
	to := strings.TrimPrefix(app.URL, "http://")
	s := startSite(t, "handle /a* {\n"+gateLines(clerk, "/a/admin*", "")+"reverse_proxy "+to+"\n}\nhandle {\nclerk_strip\nreverse_proxy "+to+"\n}\n")
	for _, target := range []string{"/a", "/b"} {
		upgrade.Store("none came")
		response, body := s.ask("GET " + target + " HTTP/1.1\r\nHost: " + s.address + "\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAoAAAAAIAAAAA\r\n\r\n")
		if got := upgrade.Load(); got != "" || response.StatusCode != 200 {
			t.Errorf("%s: %d %s, upgrade %q", target, response.StatusCode, body, got)
		}
	}
}

// Sites without clerk_auth are none of ours, nor are their error routes.
func TestOtherSitesOfAServerAreLeftAlone(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	app := echo(t)
	address := testprocess.Address(t)
	_, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	errors := "handle_errors {\n reverse_proxy " + app + "\n}\n"
	load(t, "{\n admin off\n persist_config off\n auto_https off\n grace_period 1s\n log {\n  level PANIC\n }\n}\nhttp://a.example:"+port+" {\n bind 127.0.0.1\n try_files {path} =404\n"+gateLines(clerk, "", "")+"file_server\n"+errors+"}\nhttp://b.example:"+port+" {\n bind 127.0.0.1\n error 404\n"+errors+"}\n")
	s := &site{t: t, address: address}
	for host, want := range map[string]string{"a.example": `{"method":"GET","original":"","uri":"/__clerkgate/refused","user":""}`, "b.example": `{"method":"POST","original":"/forged","uri":"/x","user":"user_forged"}`} {
		_, body := s.ask("POST /x HTTP/1.1\r\nHost: " + host + ":" + port + "\r\nConnection: close\r\nContent-Length: 0\r\n" + forged + "\r\n")
		if strings.TrimSpace(body) != want {
			t.Errorf("%s: %s, want %s", host, body, want)
		}
	}
}

// A clerk_auth that is invoked is made after the error routes.
func TestANamedRouteCannotGuardErrorRoutes(t *testing.T) {
	clerk := clerktest.Start(t, clerktest.Options{})
	for errors, ok := range map[string]bool{"": true, "handle_errors {\n respond x\n}\n": true, "handle_errors {\n file_server\n}\n": false} {
		var config caddy.Config
		text := "{\n admin off\n auto_https off\n}\n&(gate) {\n" + gateLines(clerk, "", "") + "}\nhttp://127.0.0.1:0 {\n invoke gate\n file_server\n" + errors + "}\n"
		if err := json.Unmarshal([]byte(adapted(t, text)), &config); err != nil {
			t.Fatal(err)
		}
		if err := caddy.Validate(&config); (err == nil) != ok {
			t.Errorf("%q: %v", errors, err)
		}
	}
}
