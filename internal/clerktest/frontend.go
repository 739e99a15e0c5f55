package clerktest

import (
	"net/http"
	"slices"
)

// frontendRoutes are the Frontend API's. Browsers send what is neither GET nor
// POST as a POST that names its method in the query.
func (i *Instance) frontendRoutes() map[string]http.HandlerFunc {
	deleteAll := i.fromApps(i.signOutAll)
	return map[string]http.HandlerFunc{
		"POST /v1/dev_browser":       i.cors(i.fromApps(i.createDevBrowser)),
		"GET /v1/client/handshake":   i.serveHandshake,
		"GET /v1/client/sync":        i.serveSync,
		"GET /v1/client/link":        i.serveLink,
		"GET /v1/client":             i.cors(i.serveClient),
		"DELETE /v1/client":          i.cors(deleteAll),
		"POST /v1/client":            i.cors(asDelete(deleteAll)),
		"DELETE /v1/client/sessions": i.cors(deleteAll),
		"POST /v1/client/sessions":   i.cors(asDelete(deleteAll)),

		"POST /v1/client/sessions/{id}/touch":             i.cors(i.fromApps(i.withSession(i.touchSession))),
		"POST /v1/client/sessions/{id}/end":               i.cors(i.fromApps(i.withSession(i.endOne(ended)))),
		"POST /v1/client/sessions/{id}/remove":            i.cors(i.fromApps(i.withSession(i.endOne(removed)))),
		"POST /v1/client/sessions/{id}/tokens":            i.cors(i.fromApps(i.withSession(i.writeToken))),
		"POST /v1/client/sessions/{id}/tokens/{template}": i.cors(i.fromApps(i.withSession(i.writeToken))),
		"OPTIONS /v1/": i.cors(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) }),
	}
}

// cors lets pages of the apps, and no others, read the answers.
func (i *Instance) cors(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Add("Vary", "Origin")
		if _, ok := i.app(r.Header.Get("Origin")); ok {
			h.Set("Access-Control-Allow-Origin", r.Header.Get("Origin"))
			h.Set("Access-Control-Allow-Credentials", "true")
			h.Set("Access-Control-Allow-Methods", "GET, POST, DELETE")
			h.Set("Access-Control-Allow-Headers", "Authorization, Content-Type")
		}
		next(w, r)
	}
}

// fromApps refuses what pages elsewhere send: nobody is to sign a visitor in as
// somebody else, or out.
func (i *Instance) fromApps(next http.HandlerFunc) http.HandlerFunc {
	protection := http.NewCrossOriginProtection()
	for _, origin := range i.options.Origins {
		if err := protection.AddTrustedOrigin(origin); err != nil {
			panic(err) // the options were checked
		}
	}
	return protection.Handler(next).ServeHTTP
}

// asDelete is what a POST means that says it is a DELETE.
func asDelete(next http.HandlerFunc) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Query().Get("_method") != http.MethodDelete {
			w.WriteHeader(http.StatusMethodNotAllowed)
			return
		}
		next(w, r)
	}
}

// createDevBrowser names a browser to a development instance.
func (i *Instance) createDevBrowser(w http.ResponseWriter, r *http.Request) {
	if i.options.Live {
		notFound(w, "endpoint")
		return
	}
	i.mu.Lock()
	c := i.welcome(w, r)
	i.mu.Unlock()
	writeJSON(w, http.StatusOK, map[string]any{"object": "dev_browser", "id": c.devBrowser, "token": c.devBrowser})
}

// serveClient shows a browser its sessions; null is one that was never here.
func (i *Instance) serveClient(w http.ResponseWriter, r *http.Request) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	var object map[string]any
	if c := i.visitor(r); c != nil {
		object = i.clientObject(c)
	}
	writeJSON(w, http.StatusOK, map[string]any{"response": object, "client": nil})
}

// clientObject is a browser as both APIs have it. The caller holds the lock.
func (i *Instance) clientObject(c *client) map[string]any {
	sessions, ids := []map[string]any{}, []string{}
	for _, s := range i.alive(c) {
		sessions = append(sessions, i.sessionObject(s))
		ids = append(ids, s.id)
	}
	object := map[string]any{
		"object": "client", "id": c.id, "sessions": sessions, "session_ids": ids, "last_active_session_id": nil,
		"created_at": millis(c.updated), "updated_at": millis(c.updated), "sign_in": nil, "sign_up": nil,
	}
	if c.current != nil {
		object["last_active_session_id"] = c.current.id
	}
	return object
}

// withSession finds the session that a path names, in the browser that asks: in
// no other, whoever knows its id.
func (i *Instance) withSession(next func(http.ResponseWriter, *http.Request, *Session)) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		i.mu.RLock()
		var s *Session
		if c := i.visitor(r); c != nil {
			sessions := i.alive(c)
			if at := slices.IndexFunc(sessions, func(s *record) bool { return s.id == r.PathValue("id") }); at >= 0 {
				s = i.snapshot(sessions[at])
			}
		}
		i.mu.RUnlock()
		if s == nil {
			notFound(w, "session")
			return
		}
		next(w, r, s)
	}
}

// touchSession makes a session the active one, and an organization its own.
func (i *Instance) touchSession(w http.ResponseWriter, r *http.Request, s *Session) {
	organization := s.Organization
	if r.PostFormValue("active_organization_id") != "" || r.PostForm.Has("active_organization_id") {
		organization = r.PostFormValue("active_organization_id")
	}
	if err := i.Switch(s.ID, organization); err != nil {
		notFound(w, "organization")
		return
	}
	i.writeSession(w, r, s)
}

// endOne ends a session.
func (i *Instance) endOne(status string) func(http.ResponseWriter, *http.Request, *Session) {
	return func(w http.ResponseWriter, r *http.Request, s *Session) {
		i.finish(s.ID, status)
		i.writeSession(w, r, s)
	}
}

// writeSession writes a session as it is now, with the browser it is in.
func (i *Instance) writeSession(w http.ResponseWriter, r *http.Request, s *Session) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	c := i.visitor(r)
	kept := i.record(s.ID)
	if c == nil || kept == nil {
		notFound(w, "session")
		return
	}
	i.remember(w, r, c)
	writeJSON(w, http.StatusOK, map[string]any{"response": i.sessionObject(kept), "client": i.clientObject(c)})
}

// signOutAll ends all sessions of a browser.
func (i *Instance) signOutAll(w http.ResponseWriter, r *http.Request) {
	c := i.leave(r, "")
	if c == nil {
		notFound(w, "client")
		return
	}
	i.mu.RLock()
	defer i.mu.RUnlock()
	i.remember(w, r, c)
	writeJSON(w, http.StatusOK, map[string]any{"response": i.clientObject(c), "client": nil})
}

// leave ends a session of the browser that asks, or all, and returns the
// browser; nil is one that was never here.
func (i *Instance) leave(r *http.Request, id string) (c *client) {
	_ = i.change(func() (events []event, _ error) { // there is nothing to fail
		if c = i.visitor(r); c == nil {
			return nil, nil
		}
		for _, s := range i.alive(c) {
			if id == "" || s.id == id {
				events = append(events, i.end(s, removed)...)
			}
		}
		return events, nil
	})
	return c
}
