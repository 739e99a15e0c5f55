package assertion

import "net/http"

// Path is the path of the public keys of assertions.
const Path = "/.well-known/clerkgate/jwks.json"

// ServeHTTP answers GET and HEAD with the public keys of assertions, a JSON Web Key Set
// (RFC 7517 § 5), whatever the path. It contains no private key.
func (i *Issuer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodGet && r.Method != http.MethodHead {
		w.Header().Set("Allow", "GET, HEAD")
		http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
		return
	}
	header := w.Header()
	header.Set("Content-Type", "application/jwk-set+json")
	header.Set("Cache-Control", "public, max-age=300")
	header.Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodGet {
		_, _ = w.Write(i.keySet) // a client that is gone has no use for the error
	}
}

var _ http.Handler = (*Issuer)(nil)
