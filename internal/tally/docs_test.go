package tally

import (
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/internal/observe"
)

// names is a registry that only keeps what metrics are called.
type names map[string]bool

func (n names) Register(c prometheus.Collector) error {
	descs := make(chan *prometheus.Desc)
	go func() { defer close(descs); c.Describe(descs) }()
	for d := range descs {
		n[regexp.MustCompile(`fqName: "([^"]+)"`).FindStringSubmatch(d.String())[1]] = true
	}
	return nil
}

func (n names) MustRegister(...prometheus.Collector) {}

func (n names) Unregister(prometheus.Collector) bool { return false }

// The documentation names every metric there is, and none that there is not.
func TestTheDocumentationNamesTheMetrics(t *testing.T) {
	t.Parallel()
	is := names{}
	if _, err := observe.NewReporter("envoy", nil, is); err != nil {
		t.Fatal(err)
	}
	if err := New().Register(is, "envoy"); err != nil {
		t.Fatal(err)
	}
	if err := new(Document).Register(is, "envoy"); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join("..", "..", "docs", "*.md"))
	if err != nil || len(files) == 0 {
		t.Fatal("there is no documentation", err)
	}
	said := names{}
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, match := range regexp.MustCompile("`(clerkgate_[a-z_]+)[`{]").FindAllStringSubmatch(string(text), -1) {
			said[strings.TrimSpace(match[1])] = true
		}
	}
	if diff := cmp.Diff(slices.Sorted(maps.Keys(is)), slices.Sorted(maps.Keys(said))); diff != "" {
		t.Errorf("metrics (-) and documentation (+) differ:\n%s", diff)
	}
}
