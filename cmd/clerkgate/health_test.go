package main

import (
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/service"
)

// What the command says is what the server answers, and nothing but a 200 is
// health.
func TestHealthIsWhatTheServerAnswers(t *testing.T) {
	t.Parallel()
	status := http.StatusOK
	mux := http.NewServeMux()
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Location", "/elsewhere")
		w.WriteHeader(status)
		fmt.Fprintln(w, "keys: fetched")
	})
	mux.HandleFunc("GET /elsewhere", func(http.ResponseWriter, *http.Request) {})
	server := httptest.NewServer(mux)
	t.Cleanup(server.Close)
	address := server.Listener.Addr().String()
	if out, err := run(t, "health", "--admin", address); err != nil || out != "keys: fetched\n" {
		t.Errorf("ready: %v, %q", err, out)
	}
	for _, status = range []int{http.StatusServiceUnavailable, http.StatusNoContent, http.StatusFound, http.StatusNotFound} {
		if out, err := run(t, "health", "--admin", address); err == nil || !strings.Contains(err.Error(), fmt.Sprint(status)) {
			t.Errorf("%d is health: %q, %v", status, out, err)
		}
	}
}

// Without a host, the address is that of this machine, as serve listens.
func TestHealthTakesTheAddressOfServe(t *testing.T) {
	t.Parallel()
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", ":0")
	if err != nil {
		t.Fatal(err)
	}
	server := httptest.NewUnstartedServer(adminHandler(func() service.Readiness { return service.Readiness{Ready: true} }, newRegistry()))
	server.Listener.Close()
	server.Listener = listener
	server.Start()
	t.Cleanup(server.Close)
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	if out, err := run(t, "health", "--admin", ":"+port); err != nil || out != "ready\n" {
		t.Errorf("%v, %q", err, out)
	}
}

// Who cannot be asked is not healthy, and the command does not wait for ever.
func TestWhoDoesNotAnswerIsNotHealthy(t *testing.T) {
	t.Parallel()
	silent, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { silent.Close() })
	closed, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	closed.Close()
	for address, want := range map[string]string{
		silent.Addr().String(): "deadline", closed.Addr().String(): "refused", "9090": "write host:port", "a b:1": "write host:port", "": "write host:port",
	} {
		if out, err := run(t, "health", "--admin", address, "--timeout", "200ms"); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, %q", address, err, out)
		}
	}
}
