package oracletest

import (
	"fmt"
	"math/rand/v2"
	"strings"
)

// request is one to be sent, in any protocol.
type request struct {
	id      string
	caller  *caller
	method  string
	target  string
	host    string
	version string // HTTP/1.1 or 1.0, where the protocol shows it
	fields  [][2]string
	body    string
	// trailers follow a body in chunks.
	trailers [][2]string
	// upgrade says that what follows goes into the connection once it has changed
	// protocol.
	upgrade bool
	// control says that it is an ordinary request.
	control bool
}

// generator makes requests. What it makes depends on its seed alone.
type generator struct {
	*rand.Rand
	worker, made int
	callers      []*caller
}

func newGenerator(seed uint64, worker int, callers []*caller) *generator {
	return &generator{Rand: rand.New(rand.NewPCG(seed, uint64(worker))), worker: worker, callers: callers}
}

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, from ...T) T { return from[g.IntN(len(from))] }

// routes are what a request begins as.
var routes = []struct{ method, path string }{
	{"GET", "/"}, {"GET", "/open/page.html"}, {"GET", "/assets/x.css"}, {"POST", "/api/login"}, {"POST", "/api/login"}, {"GET", "/api/posts/1"},
	{"GET", "/admin"}, {"GET", "/admin/users"}, {"GET", "/admin/settings.html"}, {"GET", "/admin/x.css"}, {"POST", "/admin/users"},
	{"GET", "/files/list.txt"}, {"GET", "/files/secret/plan.txt"}, {"GET", "/files/secret/index.html"}, {"GET", "/dashboard"}, {"GET", "/dashboard/index.html"}, {"GET", "/report.php"}, {"GET", "/report.php/x.js"}, {"GET", "/report.php/page"},
	{"GET", "/orgs/acme/page"}, {"GET", "/orgs/bolt/page"}, {"GET", "/orgs/bolt"},
	{"POST", "/api/posts"}, {"POST", "/api/posts/1"}, {"DELETE", "/api/posts/1"},
}

// controls are ordinary requests, and who may send them.
var controls = []struct {
	method, path string
	callers      []string
}{
	{"GET", "/", []string{"anonymous", "member", "admin"}},
	{"GET", "/open/page.html", []string{"anonymous", "stranger"}},
	{"GET", "/assets/x.css", []string{"anonymous", "member"}},
	{"GET", "/api/posts/1", []string{"anonymous", "admin"}},
	{"GET", "/admin/users", []string{"admin"}},
	{"GET", "/files/list.txt", []string{"member", "stranger"}},
	{"GET", "/files/secret/plan.txt", []string{"admin"}},
	{"GET", "/orgs/acme/page", []string{"member", "admin"}},
	{"POST", "/api/posts/1", []string{"admin"}},
	{"DELETE", "/api/posts/1", []string{"admin"}},
}

// mounted is a path as an application has it that takes something off: pages and
// their data have locales, the rest has none.
func (g *generator) mounted(path string) string {
	isPage := !strings.HasPrefix(path, "/api/") && !strings.HasPrefix(path, "/files/") && !strings.HasPrefix(path, "/dashboard")
	return mountedAt + pick(g, "", map[bool]string{true: pick(g, "/fr", "/en", "/FR")}[isPage]) + strings.TrimSuffix(path, "/")
}

// control makes an ordinary request for a server. A site of files takes GET alone.
func (g *generator) control(u *upstream) *request {
	c, readOnly := pick(g, controls...), u.name == "nginx" || u.log == ""
	for readOnly && c.method != "GET" {
		c = pick(g, controls...)
	}
	r := g.blank(c.method, c.path)
	if u.mounted {
		r.target = g.mounted(r.target)
	}
	name := pick(g, c.callers...)
	for _, r.caller = range g.callers {
		if r.caller.name == name {
			break
		}
	}
	r.control = true
	g.authorize(r)
	return r
}

func (g *generator) blank(method, path string) *request {
	g.made++
	return &request{
		id: fmt.Sprintf("%d-%d", g.worker, g.made), caller: anonymous, method: method, target: path, host: "app.test", version: "HTTP/1.1",
	}
}

// oddities are the ways in which a request is out of the ordinary. Most requests
// have one: two seldom get past the first check.
var oddities = []func(g *generator, r *request){
	func(g *generator, r *request) { r.target = g.mutatePath(r.target) },
	func(g *generator, r *request) { r.target = g.mutatePath(r.target) },
	func(g *generator, r *request) { r.target = g.mutatePath(r.target) },
	func(g *generator, r *request) { r.target = g.mutatePath(g.mutatePath(r.target)) },
	func(g *generator, r *request) { r.target += pick(g, queries...) },
	func(g *generator, r *request) { r.method = g.oddMethod(r.method) },
	func(g *generator, r *request) { r.host = pick(g, hosts...) },
	func(g *generator, r *request) {
		r.target = pick(g, "http://", "https://", "HTTP://", "ws://") + pick(g, hosts...) + r.target
	},
	func(g *generator, r *request) { r.version = "HTTP/1.0" },
	func(g *generator, r *request) {
		r.add("Accept", pick(g, "text/html", "application/json", "*/*", "text/x-component"))
	},
	(*generator).forge, (*generator).forge, (*generator).override, (*generator).nameInConnection, (*generator).askForUpgrade, (*generator).preflight, (*generator).addBody,
}

// request makes one for a server that is out of the ordinary in some ways.
func (g *generator) request(u *upstream) *request {
	route := pick(g, routes...)
	r := g.blank(route.method, route.path)
	if u.mounted && !g.chance(4) {
		r.target = g.mounted(r.target)
	}
	r.caller = pick(g, g.callers...)
	g.authorize(r)
	for range pick(g, 1, 1, 1, 1, 2, 2, 3) {
		pick(g, oddities...)(g, r)
	}
	g.Shuffle(len(r.fields), func(i, j int) { r.fields[i], r.fields[j] = r.fields[j], r.fields[i] })
	return r
}

func (r *request) add(name, value string) { r.fields = append(r.fields, [2]string{name, value}) }

// authorize adds the caller's token, as apps send it.
func (g *generator) authorize(r *request) {
	switch token := r.caller.token; {
	case token == "":
	case g.chance(4):
		r.add("Cookie", "theme=dark; __session="+token+"; __client_uat=1")
	default:
		r.add(pick(g, "Authorization", "authorization"), "Bearer "+token)
	}
}

// queries and what else is behind a question mark plays no part in routing.
var queries = []string{"?a=b", "?_method=DELETE", "?_method=delete&x=1", "?/../admin", "?path=/admin", "?;/admin", "?__nextLocale=fr", "?_rsc=1", "??", "?%00"}

var hosts = []string{
	"app.test", "app.test:80", "app.test.", "APP.TEST", "admin.test", "admin.test", "ADMIN.test", "admin.test:80", "admin.test:443", "admin.test:8080", "admin.test.",
	"admin.test.:80", "admin.test:", "Admin.Test.:8443", "127.0.0.1", "[::1]:80", "localhost", "app.test,admin.test", "app.test@admin.test", "admin.test/", "admin%2etest",
	"xn--admin.test", ".admin.test", "admin..test", "a\u0064min.test", "\uff41dmin.test",
}

// oddMethod is another method, or the same in another spelling.
func (g *generator) oddMethod(method string) string {
	return pick(g, strings.ToLower(method), strings.ToLower(method), strings.ToUpper(method[:1])+strings.ToLower(method[1:]), method[:1]+strings.ToLower(method[1:]),
		"HEAD", "OPTIONS", "PUT", "PATCH", "DELETE", "POST", "delete", "Post", "TRACE", "FOO", "PROPFIND", "M-SEARCH", "QUERY", "LINK", "head", method+"X", "_"+method)
}

var identityNames = []string{"X-User-Id", "X-Session-Id", "X-Org-Id", "X-Org-Slug", "X-Org-Role", "X-Org-Permissions", "X-Auth-Type"}

// respell writes a name as somebody may read it all the same.
func (g *generator) respell(name string) string {
	switch g.IntN(8) {
	case 0:
		return name
	case 1:
		return strings.ToLower(name)
	case 2:
		return strings.ToUpper(name)
	case 3, 4:
		return strings.ReplaceAll(name, "-", "_")
	case 5:
		return strings.Replace(name, "-", "_", 1)
	default:
		return strings.ReplaceAll(name, "-", pick(g, ".", "~", "!", "+", "|", "'"))
	}
}

// forge claims an identity.
func (g *generator) forge(r *request) {
	for range 1 + g.IntN(3) {
		name := pick(g, identityNames...)
		value := map[string]string{"X-Org-Role": "org:admin", "X-Org-Slug": "bolt", "X-Auth-Type": "session_token"}[name]
		if value == "" {
			value = "user_forged"
		}
		for range pick(g, 1, 1, 1, 2) {
			r.add(g.respell(name), value)
		}
	}
}

// override names another path, method or host, or asks that checks be skipped.
func (g *generator) override(r *request) {
	path := pick(g, "/admin", "/admin/users", "/files/secret/plan.txt", "/api/posts/1")
	field := pick(g, [][2]string{
		{"X-Original-URL", path}, {"X-Rewrite-URL", path}, {"X-Original-URI", path}, {"X-Forwarded-Uri", path}, {"X-Forwarded-Path", path},
		{"X-Replaced-Path", path}, {"X-Envoy-Original-Path", path}, {"X-Matched-Path", path}, {"X-Invoke-Path", path}, {"X-Forwarded-Prefix", "/admin"}, {"X-Script-Name", "/admin"},
		{"X-HTTP-Method-Override", "DELETE"}, {"X-HTTP-Method", "DELETE"}, {"X-Method-Override", "DELETE"}, {"X-Forwarded-Method", "DELETE"},
		{"X-Forwarded-Host", "admin.test"}, {"X-Original-Host", "admin.test"}, {"Forwarded", "host=admin.test;for=1.2.3.4;proto=https"}, {"X-Host", "admin.test"},
		{"X-Middleware-Subrequest", "middleware:middleware:middleware:middleware:middleware"}, {"X-Forwarded-For", "1.2.3.4"}, {"X-Real-IP", "1.2.3.4"},
		{"X-Forwarded-Proto", "https"}, {"X-Accel-Redirect", path}, {"Proxy", "http://127.0.0.1:1"}, {"X-Nextjs-Data", "1"}, {"RSC", "1"}, {"Next-Router-Prefetch", "1"}, {"X-Now-Route-Matches", "1=admin"}, {"X-Nextjs-Matched-Path", path},
	}...)
	r.add(g.respell(field[0]), field[1])
}

// nameInConnection asks that a header be taken off on the way.
func (g *generator) nameInConnection(r *request) {
	r.add("Connection", pick(g, "close, ", "", "keep-alive, ")+pick(g, append(identityNames, "Authorization", "Cookie", "Host", "X-Forwarded-For", "Content-Length", "Transfer-Encoding")...))
}

// askForUpgrade asks for another protocol on the same connection.
func (g *generator) askForUpgrade(r *request) {
	r.upgrade = true
	r.add("Connection", pick(g, "Upgrade", "upgrade, HTTP2-Settings", "keep-alive, Upgrade", "Upgrade, close"))
	for range pick(g, 1, 1, 1, 2) {
		r.add("Upgrade", pick(g, "h2c", "h2c", "h2c", "H2C", "websocket", "WebSocket", "TLS/1.0", "h2c, websocket", "websocket, h2c", "foo", "HTTP/2.0", "websocket/13", " h2c"))
	}
	if g.chance(2) {
		r.add("HTTP2-Settings", "AAMAAABkAAQAAP__")
	}
	if g.chance(2) {
		r.add("Sec-WebSocket-Version", "13")
		r.add("Sec-WebSocket-Key", "dGhlIHNhbXBsZSBub25jZQ==")
	}
}

// preflight asks as a browser does before a request from another site.
func (g *generator) preflight(r *request) {
	r.method = pick(g, "OPTIONS", "OPTIONS", "OPTIONS", "options")
	r.add("Origin", "https://other.test")
	r.add("Access-Control-Request-Method", pick(g, "POST", "DELETE", "GET"))
}

// isPreflight reports whether a gate may take it for one: it carries nothing of
// anybody. Envoy tells of no body before it is there but by its length, which
// HTTP/2 and chunks do without, and takes off what HTTP/1 names in Connection before
// it asks. Chunks in HTTP/1.0 are none to Caddy.
func (r *request) isPreflight(e *edge, protocol string) bool {
	has := map[string]bool{}
	for _, field := range r.fields {
		has[strings.ToLower(field[0])] = true
	}
	isEnvoy, isHTTP2 := e.tls == nil, strings.HasPrefix(protocol, "HTTP/2")
	for _, field := range r.fields {
		if isEnvoy && !isHTTP2 && strings.EqualFold(field[0], "connection") {
			for name := range strings.SplitSeq(field[1], ",") {
				delete(has, strings.ToLower(strings.TrimSpace(name)))
			}
		}
	}
	announced := r.body != ""
	switch chunked := r.trailers != nil && !isHTTP2; {
	case isEnvoy:
		announced = announced && !chunked && !isHTTP2
	case chunked:
		announced = announced && r.version != "HTTP/1.0"
	}
	return r.method == "OPTIONS" && !announced && has["origin"] && has["access-control-request-method"] && !has["authorization"] && !has["cookie"]
}

// addBody adds a body, sometimes one that somebody may take for another request.
func (g *generator) addBody(r *request) {
	if g.chance(2) {
		r.method = "POST"
	}
	r.body = pick(g, "_method=DELETE", "a=b", "{}", "0\r\n\r\n", "GET /admin HTTP/1.1\r\nHost: app.test\r\n\r\n")
	if r.body[0] == '_' {
		r.add("Content-Type", "application/x-www-form-urlencoded")
	}
	if g.chance(2) {
		name := pick(g, identityNames...)
		r.trailers = append(r.trailers, [2]string{g.respell(name), "user_forged"})
		if g.chance(2) {
			r.add("Trailer", pick(g, "X-Sum", name, r.trailers[0][0]))
		}
		if g.chance(2) {
			r.add("TE", "trailers")
		}
	}
}
