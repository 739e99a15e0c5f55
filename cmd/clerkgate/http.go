package main

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"strings"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/forwardauth"
	"github.com/clerkgate/clerkgate/service"
)

// Bounds of the HTTP server. Its handlers have their own within these.
const (
	httpHeaderTimeout = 5 * time.Second
	httpTimeout       = 60 * time.Second
	httpHeaderBytes   = 64 << 10
	httpIdle          = 2 * time.Minute // more than proxies keep a connection that nobody uses
	httpStop          = 5 * time.Second
)

// httpServer serves people and Clerk's front end by HTTP, for proxies that only ask
// for decisions and cannot answer themselves; or answers forward auth.
type httpServer struct {
	server   *http.Server
	listener net.Listener
}

// startHTTP starts what is served by HTTP: forward auth, and the service's own pages.
func (o *serveOptions) startHTTP(ctx context.Context, gate *service.Service, registry *prometheus.Registry, certificates *tls.Config, logger *slog.Logger) (checks, pages *httpServer, err error) {
	handler, err := forwardauth.New(gate, forwardauth.Options{Logger: logger, Metrics: registry, Trusts: gate.Trusts, Timeout: o.forwardFor})
	if err != nil {
		return nil, nil, err
	}
	if o.forward != "" && o.forward == o.http {
		pages, err = startPages(ctx, o.http, byPath(forwardauth.Path, handler, gate), logger)
		return new(httpServer), pages, err
	}
	if checks, err = startForwardAuth(ctx, o.forward, handler, certificates, logger); err != nil {
		return nil, nil, err
	}
	if pages, err = startPages(ctx, o.http, gate, logger); err != nil {
		checks.close()
	}
	return checks, pages, err
}

// startPages listens where --http says; without it nothing is served.
func startPages(ctx context.Context, address string, handler http.Handler, logger *slog.Logger) (*httpServer, error) {
	if address == "" {
		return new(httpServer), nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for HTTP: %w", err)
	}
	return serveHTTP(listener, handler, logger), nil
}

// startForwardAuth listens where --forward-auth says, with the certificates of the
// gRPC server; without it nothing is served.
func startForwardAuth(ctx context.Context, address string, handler http.Handler, certificates *tls.Config, logger *slog.Logger) (*httpServer, error) {
	if address == "" {
		return new(httpServer), nil
	}
	listener, err := extauthz.Listen(ctx, address)
	if err != nil {
		return nil, fmt.Errorf("listening for forward auth: %w", err)
	}
	if certificates != nil && !extauthz.IsLocal(address) {
		listener = tls.NewListener(listener, certificates)
	}
	return serveHTTP(listener, handler, logger), nil
}

func serveHTTP(listener net.Listener, handler http.Handler, logger *slog.Logger) *httpServer {
	s := &httpServer{listener: listener, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTimeout,
		ReadTimeout:       httpTimeout,
		WriteTimeout:      httpTimeout,
		IdleTimeout:       httpIdle,
		MaxHeaderBytes:    httpHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	go s.server.Serve(s.listener) //nolint:errcheck // it ends with close
	return s
}

// byPath serves what is below a path by one handler, and all else by another.
func byPath(path string, below, others http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.HasPrefix(r.RequestURI, path) {
			below.ServeHTTP(w, r)
		} else {
			others.ServeHTTP(w, r)
		}
	})
}

// address is where the server listens, or "".
func (s *httpServer) address() string {
	if s.listener == nil {
		return ""
	}
	return s.listener.Addr().String()
}

func (s *httpServer) close() {
	if s.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), httpStop)
	defer cancel()
	_ = s.server.Shutdown(ctx) // what is left is cut off with the process
}
