package clerktest

import (
	"embed"
	"html/template"
	"net/http"
	"net/url"
	"strings"
)

// pageFiles are the pages: HTML that works without scripts, in light and dark.
//
//go:embed pages/*.html
var pageFiles embed.FS

// pageOf is a page inside the frame that all have.
func pageOf(name string) *template.Template {
	return template.Must(template.ParseFS(pageFiles, "pages/frame.html", "pages/"+name+".html"))
}

var (
	signInPage  = pageOf("sign-in")
	signUpPage  = pageOf("sign-up")
	accountPage = pageOf("user")
)

// pageRoutes are the pages: what Clerk calls the Account Portal.
func (i *Instance) pageRoutes() map[string]http.HandlerFunc {
	return map[string]http.HandlerFunc{
		"GET /sign-in":   i.serveSignIn,
		"POST /sign-in":  i.fromApps(i.doSignIn),
		"GET /sign-up":   i.serveSignUp,
		"POST /sign-up":  i.fromApps(i.doSignUp),
		"GET /user":      i.serveAccount,
		"POST /user":     i.fromApps(i.doAccount),
		"POST /sign-out": i.fromApps(i.doSignOut),
	}
}

// show writes a page that may do no more than submit its forms, whose answers
// lead to the apps.
func (i *Instance) show(w http.ResponseWriter, page *template.Template, data map[string]any) {
	h := w.Header()
	h.Set("Content-Type", "text/html; charset=utf-8")
	h.Set("Cache-Control", "no-store")
	h.Set("Referrer-Policy", "same-origin")
	h.Set("Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; base-uri 'none'; frame-ancestors 'none'; form-action 'self' "+
		strings.Join(append([]string{i.FrontendURL()}, i.options.Origins...), " "))
	_ = page.ExecuteTemplate(w, "frame", data) // the browser may be gone
}

// serveSignIn shows the people to be. An app of a development instance that is a
// satellite asks here who the browser is.
func (i *Instance) serveSignIn(w http.ResponseWriter, r *http.Request) {
	if asked := r.URL.Query().Get("__clerk_redirect_url"); asked != "" && !i.options.Live {
		i.answerSatellite(w, r, asked)
		return
	}
	i.show(w, signInPage, map[string]any{"Users": i.Users(), "Query": passOn(r)})
}

// answerSatellite sends a browser back to a satellite of a development instance,
// which then makes a handshake of its own.
func (i *Instance) answerSatellite(w http.ResponseWriter, r *http.Request, asked string) {
	back, ok := i.app(asked)
	if !ok {
		http.Error(w, "this is no page of an app of this instance", http.StatusBadRequest)
		return
	}
	i.mu.Lock()
	to := withBrowser(withParameter(*back, "__clerk_synced", "true"), i.welcome(w, r))
	i.mu.Unlock()
	redirect(w, r, to)
}

// passOn is the query that one page gives the next: where to go back to, and
// which browser this is.
func passOn(r *http.Request) template.URL {
	kept := url.Values{}
	for _, name := range []string{"redirect_url", cookieDevBrowser} {
		if value := r.URL.Query().Get(name); value != "" {
			kept.Set(name, value)
		}
	}
	return template.URL(kept.Encode()) //nolint:gosec // it is encoded
}

// doSignIn begins a session, beside those that the browser has.
func (i *Instance) doSignIn(w http.ResponseWriter, r *http.Request) {
	i.enterAs(w, r, r.PostFormValue("user"))
}

func (i *Instance) enterAs(w http.ResponseWriter, r *http.Request, userID string) {
	var c *client
	err := i.change(func() ([]event, error) {
		c = i.welcome(w, r)
		_, events, err := i.signIn(c, userID)
		i.remember(w, r, c)
		return events, err
	})
	if err != nil {
		w.Header().Del("Set-Cookie")
		http.Error(w, "nobody can sign in as this user", http.StatusBadRequest)
		return
	}
	i.goBack(w, r, c)
}

func (i *Instance) serveSignUp(w http.ResponseWriter, r *http.Request) {
	i.show(w, signUpPage, map[string]any{"Query": passOn(r)})
}

// maxName bounds the name of somebody who signs up.
const maxName = 64

// doSignUp adds somebody and signs them in.
func (i *Instance) doSignUp(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimSpace(r.PostFormValue("name"))
	if name == "" || len(name) > maxName {
		http.Error(w, "a name has 1 to 64 bytes", http.StatusBadRequest)
		return
	}
	u, err := i.AddUser(User{Name: name})
	if err != nil {
		http.Error(w, err.Error(), http.StatusServiceUnavailable)
		return
	}
	i.enterAs(w, r, u.ID)
}

// serveAccount shows a browser its sessions and what can be done with them.
func (i *Instance) serveAccount(w http.ResponseWriter, r *http.Request) {
	var sessions []*Session
	current := ""
	i.mu.RLock()
	if c := i.visitor(r); c != nil {
		for _, s := range i.alive(c) {
			sessions = append(sessions, i.snapshot(s))
		}
		if c.current != nil {
			current = c.current.id
		}
	}
	i.mu.RUnlock()
	i.show(w, accountPage, map[string]any{"Sessions": sessions, "Current": current, "Query": passOn(r)})
}

// doAccount does what a button of the account page says.
func (i *Instance) doAccount(w http.ResponseWriter, r *http.Request) {
	action, rest, _ := strings.Cut(r.PostFormValue("do"), " ")
	id, organization, _ := strings.Cut(rest, " ")
	switch action {
	case "switch":
		i.withSession(func(w http.ResponseWriter, r *http.Request, s *Session) {
			if err := i.Switch(s.ID, organization); err != nil {
				http.Error(w, "this is no organization of yours", http.StatusBadRequest)
				return
			}
			i.goBackFrom(w, r)
		})(w, withPath(r, id))
	case "leave":
		i.leave(r, id)
		i.goBackFrom(w, r)
	default:
		http.Error(w, "there is nothing to do", http.StatusBadRequest)
	}
}

// withPath is the request for a session.
func withPath(r *http.Request, id string) *http.Request {
	r.SetPathValue("id", id)
	return r
}

// doSignOut ends all sessions of the browser.
func (i *Instance) doSignOut(w http.ResponseWriter, r *http.Request) {
	i.leave(r, "")
	i.goBackFrom(w, r)
}

// goBackFrom sends the browser that asks back to the app.
func (i *Instance) goBackFrom(w http.ResponseWriter, r *http.Request) {
	i.mu.Lock()
	c := i.welcome(w, r)
	i.mu.Unlock()
	i.goBack(w, r, c)
}

// goBack sends a browser to the app that it came from, or the first there is.
// An app of a development instance learns from the query that something
// changed; one in production from cookie __client_uat.
func (i *Instance) goBack(w http.ResponseWriter, r *http.Request, c *client) {
	w.Header().Set("Cache-Control", "no-store")
	back, ok := i.app(r.FormValue("redirect_url"))
	if !ok && len(i.options.Origins) > 0 {
		back, ok = i.app(i.options.Origins[0] + "/")
	}
	if !ok {
		http.Redirect(w, r, "user", http.StatusSeeOther)
		return
	}
	http.Redirect(w, r, i.tell(w, r, c, back), http.StatusSeeOther)
}

// tell returns the address of an app by which it learns that something changed.
// Where no configuration names a Frontend API that browsers reach, an app on the
// same host name gets its cookies here and now: cookies do not tell ports apart.
func (i *Instance) tell(w http.ResponseWriter, r *http.Request, c *client, back *url.URL) string {
	if i.reachable() {
		return withBrowser(back, c)
	}
	if publicHost(r) == back.Hostname() {
		for _, line := range i.handshakeLines(c, back, false) {
			w.Header().Add("Set-Cookie", line)
		}
	}
	return back.String()
}
