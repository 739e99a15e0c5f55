package pathpattern

import (
	"strings"
	"testing"
)

func TestMistakesAreToldWithWhatToWrite(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{ // what is suggested, or words of the message
		"admin/:path*":                "/admin/:path*",
		"admin":                       "/admin",
		"./admin":                     "/admin",
		":id":                         "/:id",
		"(api|trpc)(.*)":              "/(api|trpc)(.*)",
		" /admin":                     "/admin",
		"/admin\t":                    "/admin",
		"/a\nb":                       "no control characters",
		"/admin /settings":            "a list of them",
		"/admin, /settings":           "a list of them",
		"/admin,/settings":            "a list of them",
		"/admin|/settings":            "a list of them",
		"/admin|settings":             "in parentheses alone",
		"https://app.example.com/adm": "/adm",
		"https://app.example.com":     "/",
		"//app.example.com/adm":       "/adm",
		"*://app.example.com/adm":     "/adm",
		"app.example.com/adm":         "/adm",
		"localhost:3000/adm":          "/adm",
		"/a//b":                       "/a/b",
		"/a/../b":                     "such a request is refused",
		"/admin#top":                  "/admin",
		`/admin\?tab`:                 "/admin",
		"^/admin":                     "/admin",
		"^/admin$":                    "/admin",
		"/admin$":                     "/admin",
		`/users/\d`:                   `/users/(\d)`,
		`/([\\w-]+)?/users/(.+)`:      `/([\w-]+)?/users/(.+)`,
		`/orders/:id(\\d+)`:           `/orders/:id(\d+)`,
		`/((?!.*\\..*|_next).*)`:      `/((?!.*\..*|_next).*)`,
		"/users/[id]/edit":            "/users/:id/edit",
		"/docs/[...slug]":             "/docs/:slug+",
		"/docs/[[...slug]]":           "/docs/:slug*",
		"/[[lang]]/about":             "/:lang?/about",
		"/fruits/[page=fruit]":        "/fruits/:page",
		"/a/[x]-[y]":                  "a parameter is written :name",
		"/org/[id]/settings(.*)":      "/org/:id/settings(.*)",
		"/[locale]":                   "/:locale",
		"/(dashboard)/settings":       "/settings",
		"/(marketing)":                "/",
		"/feed/(..)photo":             "intercepted",
		"/users/{id}":                 "/users/:id",
		"/users/{id:[0-9]+}":          "/users/:id",
		"/files/{*path}":              "/files/:path*",
		"/users/<id>":                 "/users/:id",
		"/users/<int:id>":             "/users/:id",
		"/admin/page.tsx":             "/admin",
		"/admin/+page.svelte":         "/admin",
		"/a%20b":                      "/a b",
		"/%E6%97%A5":                  "/日",
		"/%FF":                        "not UTF-8",
		"/a%2Fb":                      "is refused before any rule is asked",
	} {
		wrong := Mistake(pattern)
		if wrong == nil || wrong.Pattern != pattern || wrong.Suggestion != want && !strings.Contains(wrong.Msg, want) {
			t.Errorf("Mistake(%q) = %v, want %q", pattern, wrong, want)
			continue
		}
		if wrong.Suggestion != "" && Mistake(wrong.Suggestion) != nil {
			t.Errorf("what is suggested for %q is a mistake as well: %v", pattern, Mistake(wrong.Suggestion))
		}
	}
}

func TestGlobsAreToldWithWhatToWrite(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"/admin/*": "/admin/(.*)", "/admin/**": "/admin/(.*)", "/admin*": "/admin(.*)", "/admin.*": "/admin(.*)", "/admin/.*": "/admin/(.*)",
		"/admin/.+": "/admin/(.+)", "/*/settings": "/(.*)/settings", "*": "(.*)", "/admin?tab=1": "/admin",
	} {
		_, err := Compile(pattern, Options{})
		if wrong, ok := err.(*SyntaxError); !ok || wrong.Suggestion != want {
			t.Errorf("Compile(%q): %v, want %q", pattern, err, want)
		}
	}
}

// What means something, however odd, is no mistake.
func TestPatternsThatPathsMeetAreNoMistakes(t *testing.T) {
	t.Parallel()
	for _, pattern := range []string{
		"/", "(.*)", "/(.*)", "/:path*", "/admin(.*)", "/users/:id", `/users/:id(\d+)`, "/blog{/:slug}?", "{/:lang}?/about", "/(api|trpc)(.*)",
		"/((?!_next).*)", "((?!_next).*)", `/((?!_next|[^?]*\.(?:html?|css|js(?!on)|jpe?g|webp)).*)`, `/((?!.+\.[\w]+$|_next).*)`, "/:lang(en|de)?/about",
		"/@:name", "/@vite/(.*)", "/$metadata", "/_next/(.*)", "/.well-known/(.*)", "/a b", "/a;b", "/a,b", "/a=b", "/~user", "/日本(.*)", `/a\[0\]`, `/a\:b`,
		"/a%3Bb", "/(admin)?/x", "/(.+)", "/(admin|)", "/:a(x)/b", "/x.json", "/docs/", `/:path([^/]+\.pdf)`, `/a\.b`, `/a\$`, "/index.html", "/page.js", "/((?!api|/x).*)",
	} {
		if wrong := Mistake(pattern); wrong != nil {
			t.Errorf("%v", wrong)
		}
	}
}
