package clerktest

import (
	"encoding/json"
	"net/http"
)

func (i *Instance) listUsers(w http.ResponseWriter, r *http.Request) {
	list := []map[string]any{}
	for _, u := range i.Users() {
		list = append(list, userObject(&u))
	}
	writeList(w, r, list)
}

func (i *Instance) serveUser(w http.ResponseWriter, r *http.Request) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if u := i.user(r.PathValue("id")); u != nil {
		writeJSON(w, http.StatusOK, userObject(u))
		return
	}
	notFound(w, "user")
}

// changeUser changes somebody and shows them, or that they are no more.
func (i *Instance) changeUser(change func(id string) error) http.HandlerFunc {
	return func(w http.ResponseWriter, r *http.Request) {
		id := r.PathValue("id")
		switch err := change(id); {
		case err != nil:
			notFound(w, "user")
		case r.Method == http.MethodDelete:
			writeJSON(w, http.StatusOK, map[string]any{"object": "user", "id": id, "deleted": true})
		default:
			i.serveUser(w, r)
		}
	}
}

func (i *Instance) listMemberships(w http.ResponseWriter, r *http.Request) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	u := i.user(r.PathValue("id"))
	if u == nil {
		notFound(w, "user")
		return
	}
	list := []map[string]any{}
	for n := range u.Memberships {
		list = append(list, i.membershipObject(u, &u.Memberships[n]))
	}
	writeJSON(w, http.StatusOK, map[string]any{"data": list, "total_count": len(list)})
}

// readJSON reads a request's body, and answers where it is none.
func readJSON(w http.ResponseWriter, r *http.Request, into any) bool {
	if err := json.NewDecoder(r.Body).Decode(into); err != nil {
		writeError(w, http.StatusBadRequest, "request_body_invalid", "The body is not the JSON that this endpoint takes.")
		return false
	}
	return true
}
