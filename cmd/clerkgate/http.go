package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"
)

// Bounds of the HTTP server. Its handlers have their own within these.
const (
	httpHeaderTimeout = 5 * time.Second
	httpTimeout       = 60 * time.Second
	httpHeaderBytes   = 64 << 10
	httpStop          = 5 * time.Second
)

// httpServer serves people and Clerk's front end by HTTP, for proxies that only ask
// for decisions and cannot answer themselves.
type httpServer struct {
	server   *http.Server
	listener net.Listener
}

// startHTTP listens where --http says; without it nothing is served.
func startHTTP(ctx context.Context, address string, handler http.Handler, logger *slog.Logger) (*httpServer, error) {
	if address == "" {
		return new(httpServer), nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for HTTP: %w", err)
	}
	s := &httpServer{listener: listener, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: httpHeaderTimeout,
		ReadTimeout:       httpTimeout,
		WriteTimeout:      httpTimeout,
		MaxHeaderBytes:    httpHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	go s.server.Serve(s.listener) //nolint:errcheck // it ends with close
	return s, nil
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
