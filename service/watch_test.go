package service

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/policy"
)

// eventually waits for what happens in the background.
func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	if err := testprocess.Poll(func() (bool, error) {
		if holds() {
			return true, nil
		}
		return false, fmt.Errorf("%s does not come to pass", what)
	}); err != nil {
		t.Fatal(err)
	}
}

// watched is a service that watches its document.
type watched struct {
	*Service
	path     string
	registry *prometheus.Registry
	log      testprocess.Buffer
}

// watch opens and watches a document until the test ends.
func watch(t *testing.T, path string) *watched {
	t.Helper()
	w := &watched{path: path, registry: prometheus.NewPedanticRegistry()}
	var err error
	w.Service, err = Open(path, Options{Logger: slog.New(slog.NewTextHandler(&w.log, nil)), Metrics: w.registry})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Close)
	ctx, stop := context.WithCancel(t.Context())
	var running sync.WaitGroup
	running.Go(func() { w.Watch(ctx, time.Millisecond) })
	t.Cleanup(func() { stop(); running.Wait() })
	return w
}

// allows reports whether anonymous requests pass.
func (w *watched) allows(t *testing.T) bool {
	d := w.Decide(t.Context(), &policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/"})
	return d.Allowed()
}

// said counts what is in the log.
func (w *watched) said(text string) int { return strings.Count(w.log.String(), text) }

// Whatever way a document is replaced in, the new one comes into force; and a wrong one
// is reported once, and gone once it is mended, though it is mended to what it was.
func TestAWatchedDocumentIsReloaded(t *testing.T) {
	t.Parallel()
	clerk := clerktest.OfflineDocument(t)
	open, closed, wrong := clerk+"default: {access: public}\n", clerk+"default: {access: deny}\n", clerk+"default: {access: opne}\n"
	inPlace := func(t *testing.T, path, text string) { // in one step, so that nobody reads half of it
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE, 0o600)
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		if _, err := f.WriteAt([]byte(text+strings.Repeat("\n", 4096-len(text))), 0); err != nil {
			t.Fatal(err)
		}
	}
	rename := func(t *testing.T, path, text string) {
		write(t, path+"~", text)
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	configMap := func(t *testing.T, path, text string) {
		folder := filepath.Dir(path)
		data := filepath.Join(folder, "..data")
		old, _ := os.Readlink(data)
		version, err := os.MkdirTemp(folder, "..version")
		if err != nil {
			t.Fatal(err)
		}
		write(t, filepath.Join(version, filepath.Base(path)), text)
		if err := os.Symlink(filepath.Base(version), data+"_tmp"); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(data+"_tmp", data); err != nil {
			t.Fatal(err)
		}
		if old == "" { // the first
			if err := os.Symlink(filepath.Join("..data", filepath.Base(path)), path); err != nil {
				t.Fatal(err)
			}
			return
		}
		if err := os.RemoveAll(filepath.Join(folder, old)); err != nil {
			t.Fatal(err)
		}
	}
	away := func(t *testing.T, path, text string) {
		write(t, path+"~", text)
		_ = os.Remove(path) // there is none at first
		if err := os.Rename(path+"~", path); err != nil {
			t.Fatal(err)
		}
	}
	for how, put := range map[string]func(t *testing.T, path, text string){"in place": inPlace, "by a rename": rename, "as a ConfigMap": configMap, "after it was away": away} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			path := filepath.Join(t.TempDir(), "clerkgate.yaml")
			put(t, path, closed)
			w := watch(t, path)
			if w.allows(t) {
				t.Fatal("all is open at first")
			}
			put(t, path, open)
			eventually(t, "the new document", func() bool { return w.allows(t) })
			for range 2 {
				put(t, path, wrong)
				eventually(t, "the report", func() bool { return w.Readiness().Parts[0].State == PartWarning })
				if r := w.Readiness(); !r.Ready || !w.allows(t) || !strings.Contains(r.String(), "clerkgate.yaml:2:19: default.access") {
					t.Errorf("with a wrong document: %s", r)
				}
				put(t, path, open)
				eventually(t, "the mended document", func() bool { return w.Readiness().Parts[0].State == PartOK })
			}
			put(t, path, closed)
			eventually(t, "the first document", func() bool { return !w.allows(t) })
			eventually(t, "its report", func() bool { return w.said("msg=reloaded") == 4 })
			if n := w.said("stays in force"); n != 2 {
				t.Errorf("%d reports of two wrong documents", n)
			}
			expect := fmt.Sprintf(`# HELP clerkgate_document_loads_total How often the policy document was loaded, the start included: taken, or refused, so that the one before stayed in force.
# TYPE clerkgate_document_loads_total counter
clerkgate_document_loads_total{adapter="http",result="refused"} 2
clerkgate_document_loads_total{adapter="http",result="taken"} 5
# HELP clerkgate_document_in_force 1 while the policy document that was read last is in force; 0 if it was refused.
# TYPE clerkgate_document_in_force gauge
clerkgate_document_in_force{adapter="http"} 1
# HELP clerkgate_document_info Always 1: its label is the start of the SHA-256 of the document in force.
# TYPE clerkgate_document_info gauge
clerkgate_document_info{adapter="http",hash="%s"} 1
`, setup.ReadFiles(path).Hash())
			if err := testutil.GatherAndCompare(w.registry, strings.NewReader(expect), "clerkgate_document_loads_total", "clerkgate_document_in_force", "clerkgate_document_info"); err != nil {
				t.Error(err)
			}
		})
	}
}

// A secret in a file of its own rotates: the document is as it was.
func TestTheFilesOfADocumentAreWatched(t *testing.T) {
	t.Parallel()
	path := document(t, "redis: {addresses: '127.0.0.1:1', password_file: password}\n")
	secret := filepath.Join(filepath.Dir(path), "password")
	write(t, secret, "first")
	w := watch(t, path)
	before := w.state.Load().gate.Stores
	write(t, secret, "second")
	eventually(t, "the reload", func() bool { return w.said("msg=reloaded") == 1 })
	if w.state.Load().gate.Stores == before {
		t.Error("the stores have the password of before")
	}
	if log := w.log.String(); !strings.Contains(log, secret) || strings.Contains(log, "second") {
		t.Errorf("the log: %s", log)
	}
	if err := os.Remove(secret); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the report", func() bool { return w.said("stays in force") == 1 })
	write(t, secret, "third")
	eventually(t, "the mended one", func() bool { return w.said("msg=reloaded") == 2 && w.Readiness().Parts[0].State == PartOK })
}

// What is still being written does not count, nor what is away for a moment.
func TestAChangeCountsOnceItHasSettled(t *testing.T) {
	t.Parallel()
	path := document(t, "")
	first := setup.ReadFiles(path)
	look := func() *setup.Reading {
		if now := first.Again(); !now.Equal(first) {
			return now
		}
		return nil
	}
	var c change
	expect := func(what string, want bool) {
		t.Helper()
		if got := c.settles(look()); got != want {
			t.Errorf("%s: %v", what, got)
		}
	}
	expect("no change", false)
	for _, text := range []string{"a", "ab", "abc", ""} {
		write(t, path, text)
		expect("half of it", false)
	}
	write(t, path, "abcd")
	expect("all of it", false)
	expect("again", true)
	expect("the next one", false)
	write(t, path, "other")
	expect("another", false)
	for i := range 2 {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
		for look := range missingLooks - 1 {
			expect(fmt.Sprintf("away, look %d", look), false)
		}
		if i == 0 {
			write(t, path, "back")
			expect("back", false)
			expect("back, and settled", true)
		}
	}
	expect("away for good", true)
}

// Nothing is loaded for a service that is closed, and its watch ends.
func TestWatchEndsWithItsService(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s, err := Open(document(t, ""), Options{Logger: slog.New(slog.NewTextHandler(&log, nil))})
	if err != nil {
		t.Fatal(err)
	}
	ended := make(chan struct{})
	go func() { defer close(ended); s.Watch(context.Background(), time.Millisecond) }()
	s.Close()
	select {
	case <-ended:
	case <-time.After(testprocess.Patience):
		t.Fatal("it goes on")
	}
	if err := s.Reload(); err == nil || log.Len() > 0 {
		t.Errorf("a closed service loads: %v, %s", err, &log)
	}
	s.Close()
	new(Service).Close()
}
