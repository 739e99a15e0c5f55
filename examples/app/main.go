// Command app stands where your app would: it shows the identity that came with a
// request. It trusts the headers, so that nobody but the gate may reach it.
package main

import (
	"cmp"
	"encoding/json"
	"log"
	"net/http"
	"os"
	"strings"
	"time"
)

func main() {
	server := &http.Server{Addr: cmp.Or(os.Getenv("ADDRESS"), "127.0.0.1:3000"), Handler: http.HandlerFunc(show), ReadHeaderTimeout: 5 * time.Second}
	log.Printf("listening on %s", server.Addr)
	log.Fatal(server.ListenAndServe())
}

// show answers with the path, and with who asks as the gate says it.
func show(w http.ResponseWriter, r *http.Request) {
	identity := map[string]string{}
	for name, values := range r.Header {
		if isIdentity(name) {
			identity[name] = strings.Join(values, ", ")
		}
	}
	w.Header().Set("Content-Type", "application/json; charset=utf-8")
	w.Header().Set("Cache-Control", "no-store")
	_ = json.NewEncoder(w).Encode(map[string]any{"path": r.URL.Path, "identity": identity}) // the client may be gone
}

func isIdentity(name string) bool {
	return strings.HasPrefix(name, "X-User-") || strings.HasPrefix(name, "X-Org-") || name == "X-Session-Id" || name == "X-Auth-Type"
}
