package service_test

import (
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"

	"github.com/clerkgate/clerkgate/httpgate"
	"github.com/clerkgate/clerkgate/service"
)

// A web server whose policy is a document.
func Example() {
	folder, err := os.MkdirTemp("", "")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer os.RemoveAll(folder)
	path := filepath.Join(folder, "clerkgate.yaml")
	err = os.WriteFile(path, []byte(`
clerk:
  publishable_key: pk_test_Y2xlcmsuZXhhbXBsZS5jb20k
  authorized_parties: https://app.example.com
rules:
  - { name: home, match: { path: / }, access: public }
`), 0o600)
	if err != nil {
		fmt.Println(err)
		return
	}

	gate, err := service.Open(path, service.Options{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		fmt.Println(err) // with file, line and column
		return
	}
	defer gate.Close()
	handler := gate.Wrap(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		fmt.Fprint(w, httpgate.PrincipalFrom(r.Context()))
	}))

	for _, path := range []string{"/", "/orders"} {
		w := httptest.NewRecorder()
		handler.ServeHTTP(w, httptest.NewRequest(http.MethodGet, "https://app.example.com"+path, nil))
		fmt.Println(path, w.Code)
	}
	// Output:
	// / 200
	// /orders 401
}

// A document is checked before it is put into force.
func ExampleValidateFrom() {
	document, err := os.Open(filepath.Join("testdata", "mistake.yaml"))
	if err != nil {
		fmt.Println(err)
		return
	}
	defer document.Close()
	_, err = service.ValidateFrom("clerkgate.yaml", document, service.Options{})
	fmt.Println(err)
	// Output: clerkgate.yaml:7:16: rules[0].require: unknown key "rol" (did you mean "role"?)
}
