package forwardauth_test

import (
	"flag"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

var updateHeaders = flag.Bool("update-headers", false, "write the list of headers that nginx removes")

// examples is where the configurations of the proxies are.
var examples = filepath.Join("..", "examples", "forward-auth")

// nginx removes by a list what it would otherwise be refused for.
func TestNginxRemovesAllThatIsReserved(t *testing.T) {
	t.Parallel()
	var b strings.Builder
	b.WriteString("# Headers that tell an upstream of another path, method, host or identity than the\n# request has: no client may send them. For nginx.conf; nginx itself leaves out names\n# with other characters than letters, digits and dashes.\n")
	for _, name := range policy.ReservedHeaders() {
		b.WriteString("proxy_set_header " + name + ` "";` + "\n")
	}
	file := filepath.Join(examples, "clerkgate-headers.conf")
	if *updateHeaders {
		if err := os.WriteFile(file, []byte(b.String()), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(file); err != nil || string(got) != b.String() {
		t.Errorf("%s is not the list (%v); go test ./forwardauth -run Nginx -update-headers writes it", file, err)
	}
}
