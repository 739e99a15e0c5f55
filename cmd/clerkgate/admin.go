package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/clerkgate/clerkgate/service"
)

// Bounds of the admin server.
const (
	adminHeaderTimeout = 5 * time.Second
	adminTimeout       = 30 * time.Second
	adminHeaderBytes   = 16 << 10
	adminStop          = time.Second
)

// admin serves health, metrics and build info, away from the traffic.
type admin struct {
	server   *http.Server
	listener net.Listener
}

// newRegistry holds the process's own metrics; the adapter adds its own.
func newRegistry() *prometheus.Registry {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	return registry
}

// startAdmin listens on address; an empty one serves nothing.
func startAdmin(ctx context.Context, address string, readiness func() service.Readiness, registry *prometheus.Registry) (*admin, error) {
	if address == "" {
		return &admin{}, nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for admin: %w", err)
	}
	a := &admin{listener: listener, server: &http.Server{
		Handler:           adminHandler(readiness, registry),
		ReadHeaderTimeout: adminHeaderTimeout,
		ReadTimeout:       adminTimeout,
		WriteTimeout:      adminTimeout,
		MaxHeaderBytes:    adminHeaderBytes,
	}}
	go a.server.Serve(listener) //nolint:errcheck // it ends with close
	return a, nil
}

func adminHandler(readiness func() service.Readiness, registry *prometheus.Registry) http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) {
		fmt.Fprintln(w, "alive")
	})
	mux.HandleFunc("GET /readyz", func(w http.ResponseWriter, r *http.Request) { answerReadiness(w, r, readiness()) })
	mux.HandleFunc("GET /buildinfo", func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(readBuild()) // the client may be gone
	})
	mux.Handle("GET /metrics", promhttp.HandlerFor(registry, promhttp.HandlerOpts{MaxRequestsInFlight: 4, Timeout: adminTimeout}))
	return mux
}

// answerReadiness answers 200 or 503, which is all that a probe needs. With ?verbose it
// names each part, for people; and for programs, that accept JSON, as JSON.
func answerReadiness(w http.ResponseWriter, r *http.Request, now service.Readiness) {
	status, text := http.StatusOK, "ready\n"
	if !now.Ready {
		status, text = http.StatusServiceUnavailable, "not ready\n"
	}
	w.Header().Set("X-Content-Type-Options", "nosniff")
	w.Header().Set("Cache-Control", "no-store")
	if r.URL.Query().Has("verbose") {
		text = now.String()
		if strings.Contains(r.Header.Get("Accept"), "application/json") {
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(status)
			_ = writeJSON(w, now) // the client may be gone
			return
		}
	}
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	w.WriteHeader(status)
	_, _ = io.WriteString(w, text) // the client may be gone
}

// address is where the server listens, or "".
func (a *admin) address() string {
	if a.listener == nil {
		return ""
	}
	return a.listener.Addr().String()
}

func (a *admin) close() {
	if a.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), adminStop)
	defer cancel()
	_ = a.server.Shutdown(ctx) // what is left is cut off with the process
}
