package main

import (
	"encoding/json"
	"html/template"
	"net/http"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/sessionpage"
)

// field is a header field of a request.
type field struct{ Name, Value string }

// appJSON is the media type of the app's own answers, by which they differ from
// the gate's.
const appJSON = "application/json; charset=utf-8"

// upstream is the app behind the gate: it shows what it received.
func upstream(clerk string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		identity := map[string]string{}
		var fields []field
		for name, values := range r.Header {
			if isIdentity(name) {
				identity[name] = strings.Join(values, ", ")
				fields = append(fields, field{name, identity[name]})
			}
		}
		slices.SortFunc(fields, func(a, b field) int { return strings.Compare(a.Name, b.Name) })
		w.Header().Set("Vary", "Accept")
		if !strings.Contains(r.Header.Get("Accept"), "text/html") {
			w.Header().Set("Content-Type", appJSON)
			_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "identity": identity}) // the client may be gone
			return
		}
		w.Header().Set("Content-Type", "text/html; charset=utf-8")
		_ = upstreamPage.Execute(w, map[string]any{"Path": r.URL.Path, "Fields": fields, "Clerk": clerk, "Here": here(r), "Routes": routes}) // likewise
	})
}

// here is the page's address as the browser has it: the proxies keep the host.
func here(r *http.Request) string { return "http://" + r.Host + r.URL.RequestURI() }

func isIdentity(name string) bool {
	return strings.HasPrefix(name, "X-User-") || strings.HasPrefix(name, "X-Org-") || name == "X-Session-Id" || name == "X-Auth-Type"
}

// routes are the pages worth a visit.
var routes = []struct{ Path, Wants string }{
	{"/", "nothing: public"},
	{"/dashboard", "a session"},
	{"/admin", "the role org:admin"},
	{"/reports", "the permission org:reports:read"},
	{"/orgs/acme", "the organization acme to be active"},
	{"/billing", "a sign-in verified less than ten minutes ago"},
	{"/api/items", "a session; five requests at once, and one more every two seconds"},
	{sessionpage.DefaultPrefix, "a session: the gate's own page, on which you sign out"},
}

var upstreamPage = template.Must(template.New("upstream").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{{.Path}} · clerkgate demo</title>
<style>
:root{color-scheme:light dark}
body{margin:0 auto;max-width:44rem;padding:2rem 1rem;font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
h1{font-size:1.5rem}
h2{font-size:1.1rem;margin-top:2rem}
table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.35rem .75rem .35rem 0;border-bottom:1px solid color-mix(in srgb,CanvasText 20%,transparent);overflow-wrap:anywhere}
code{font-family:ui-monospace,monospace}
</style>
</head>
<body>
<main>
<h1>You reached <code>{{.Path}}</code></h1>
<h2>Who the app thinks you are</h2>
{{if .Fields}}<table>
<tr><th scope="col">Header</th><th scope="col">Value</th></tr>
{{range .Fields}}<tr><td><code>{{.Name}}</code></td><td>{{.Value}}</td></tr>
{{end}}</table>
<p><a href="{{.Clerk}}/user?redirect_url={{.Here}}">Switch the organization, be somebody else, or sign out</a></p>
{{else}}<p>Nobody: no identity header came with this request.</p>
<p><a href="{{.Clerk}}/sign-in?redirect_url={{.Here}}">Sign in</a></p>{{end}}
<h2>Try</h2>
<table>
<tr><th scope="col">Page</th><th scope="col">It wants</th></tr>
{{range .Routes}}<tr><td><a href="{{.Path}}">{{.Path}}</a></td><td>{{.Wants}}</td></tr>
{{end}}</table>
</main>
</body>
</html>
`))

// userOf reads the user from what the upstream shows.
func userOf(body []byte) (string, error) {
	var shown struct {
		Identity map[string]string `json:"identity"`
	}
	err := json.Unmarshal(body, &shown)
	return shown.Identity["X-User-Id"], err
}
