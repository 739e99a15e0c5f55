package kubernetes_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// stopLimit is how long checks under way may take once the drain is over.
const stopLimit = 10 * time.Second

func itoa(n int32) string { return strconv.Itoa(int(n)) }

func newReader(s string) *bufio.Reader { return bufio.NewReader(strings.NewReader(s)) }

var comment = regexp.MustCompile(`(?m)^\s*#.*$`)

func withoutComments(document []byte) []byte { return comment.ReplaceAll(document, nil) }

// flag returns what an argument sets, or "".
func flag(args []string, name string) string {
	for _, arg := range args {
		if value, ok := strings.CutPrefix(arg, "--"+name+"="); ok {
			return value
		}
	}
	return ""
}

func portOf(c corev1.Container, name string) int32 {
	for _, port := range c.Ports {
		if port.Name == name {
			return port.ContainerPort
		}
	}
	return 0
}

func duration(t *testing.T, s string) time.Duration {
	t.Helper()
	d, err := time.ParseDuration(s)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// write makes a file of this name in a folder of its own.
func write(t *testing.T, name, content string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return path
}

func read(t *testing.T, path string) string {
	t.Helper()
	data, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(data)
}
