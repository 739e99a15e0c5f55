package clerktest

import (
	"html/template"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// fromApps refuses forms that pages elsewhere submit: nobody is to sign a visitor
// in as somebody else.
func (i *Instance) fromApps(next http.HandlerFunc) http.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	for _, origin := range i.options.Origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			panic(err) // the options were checked
		}
	}
	return protection.Handler(next).ServeHTTP
}

// serveSignIn shows the people to be.
func (i *Instance) serveSignIn(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "text/html; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Content-Security-Policy", i.pagePolicy())
	_ = signInPage.Execute(w, map[string]any{ // the browser may be gone
		"Users":    i.options.Users,
		"Back":     i.safeReturn(r.FormValue("redirect_url")),
		"Lifetime": i.options.TokenLifetime.String(),
	})
}

// pagePolicy lets the page do no more than submit its forms, whose answers lead
// to the apps.
func (i *Instance) pagePolicy() string {
	return "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' " +
		strings.Join(i.options.Origins, " ")
}

// doSignIn begins a session and sends the browser back.
func (i *Instance) doSignIn(w http.ResponseWriter, r *http.Request) {
	s, err := i.SignIn(r.PostFormValue("user"))
	if err != nil {
		http.Error(w, "there is no such user", http.StatusBadRequest)
		return
	}
	back := i.safeReturn(r.PostFormValue("redirect_url"))
	setCookie(w, "__session", i.Mint(s, tokenFor(back)), true)
	setCookie(w, "__client_uat", strconv.FormatInt(s.CreatedAt.Unix(), 10), false)
	http.Redirect(w, r, back, http.StatusSeeOther)
}

// tokenFor is a token of the app that the browser goes back to (claim azp).
func tokenFor(back string) Token {
	u, ok := parseWebURL(back)
	if !ok {
		return Token{}
	}
	return Token{Claims: map[string]any{"azp": originOf(u)}}
}

// doSignOut forgets the browser's session.
func (i *Instance) doSignOut(w http.ResponseWriter, r *http.Request) {
	setCookie(w, "__session", "", true)
	setCookie(w, "__client_uat", "0", false)
	http.Redirect(w, r, i.safeReturn(r.PostFormValue("redirect_url")), http.StatusSeeOther)
}

// setCookie sets a cookie for this host; an empty value removes it. Cookies do
// not tell ports apart, so that an app on another port has it too.
func setCookie(w http.ResponseWriter, name, value string, httpOnly bool) {
	c := &http.Cookie{Name: name, Value: value, Path: "/", SameSite: http.SameSiteLaxMode, HttpOnly: httpOnly}
	if value == "" {
		c.MaxAge = -1
	}
	http.SetCookie(w, c)
}

// safeReturn is where the browser goes after signing in: a page of one of the
// apps, or the home page of the first.
func (i *Instance) safeReturn(text string) string {
	if u, ok := parseWebURL(text); ok && slices.Contains(i.options.Origins, originOf(u)) {
		return u.String()
	}
	if len(i.options.Origins) > 0 {
		return i.options.Origins[0] + "/"
	}
	return "/sign-in"
}

// parseWebURL reads an absolute http or https URL without user information.
func parseWebURL(text string) (*url.URL, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == "" || u.User != nil {
		return nil, false
	}
	return u, true
}

func originOf(u *url.URL) string { return u.Scheme + "://" + u.Host }

// signInPage works without JavaScript, in light and dark.
var signInPage = template.Must(template.New("sign-in").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Sign in</title>
<style>
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{width:min(26rem,100% - 2rem)}
h1{font-size:1.5rem;margin:0 0 1rem}
button{display:block;width:100%;margin:.5rem 0;padding:.75rem 1rem;font:inherit;text-align:left;border:1px solid GrayText;border-radius:.5rem;background:ButtonFace;color:ButtonText;cursor:pointer}
button:hover,button:focus-visible{outline:2px solid Highlight;outline-offset:1px}
small{opacity:.75}
</style>
</head>
<body>
<main>
<h1>Who do you want to be?</h1>
<form method="post" action="/sign-in">
<input type="hidden" name="redirect_url" value="{{.Back}}">
{{range .Users}}<button name="user" value="{{.ID}}"><strong>{{.Name}}</strong><br>
<small>{{range .Memberships}}{{.Role}} of {{.Organization.Name}}{{else}}in no organization{{end}}</small></button>
{{end}}</form>
<form method="post" action="/sign-out">
<input type="hidden" name="redirect_url" value="{{.Back}}">
<button>Nobody: sign out</button>
</form>
<p><small>This is a local Clerk instance for trying things out. Tokens last {{.Lifetime}} here, since nothing renews them yet.</small></p>
</main>
</body>
</html>
`))
