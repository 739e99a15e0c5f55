package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"time"

	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/internal/frontendapi"
	"github.com/clerkgate/clerkgate/internal/sessionpage"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
)

// Bounds of the HTTP server. Its handlers have their own within these.
const (
	edgeHeaderTimeout = 5 * time.Second
	edgeTimeout       = 60 * time.Second
	edgeHeaderBytes   = 64 << 10
	edgeStop          = 5 * time.Second
)

// edge serves people and Clerk's front end by HTTP, for proxies that only ask
// for decisions and cannot answer themselves.
type edge struct {
	server   *http.Server
	listener net.Listener
}

// startEdge listens where --http says; without it nothing is served.
func startEdge(ctx context.Context, address string, handler http.Handler, logger *slog.Logger) (*edge, error) {
	if address == "" {
		return new(edge), nil
	}
	listener, err := new(net.ListenConfig).Listen(ctx, "tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listening for HTTP: %w", err)
	}
	e := &edge{listener: listener, server: &http.Server{
		Handler:           handler,
		ReadHeaderTimeout: edgeHeaderTimeout,
		ReadTimeout:       edgeTimeout,
		WriteTimeout:      edgeTimeout,
		MaxHeaderBytes:    edgeHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}}
	go e.server.Serve(e.listener) //nolint:errcheck // it ends with close
	return e, nil
}

// edgeHandler is everything that is served by HTTP beside the checks: the
// session page, Clerk's webhooks, the keys of assertions, and where proxy_url has
// a path of a site, the Frontend API.
func edgeHandler(s *state, o *serveOptions, logger *slog.Logger) (handler http.Handler, warnings []policy.Warning, err error) {
	page, err := sessionpage.New(sessionpage.Options{
		Clerk: s.config.Clerk, Authenticator: s.gate.Session, TrustedProxies: s.config.TrustedProxies,
		Instance: s.gate.Session.Instance(),
		Limiter:  s.gate.Stores.Limiter, Logger: logger, Revoker: s.gate.Stores.Revocations, Revocations: s.gate.Stores.Revocations,
	})
	if err != nil {
		return nil, nil, err
	}
	routes := []route{page}
	if s.gate.Upstream.Assertions != nil {
		routes = append(routes, at{assertion.Path, s.gate.Upstream.Assertions})
	}
	proxy, err := frontendProxy(s.config, o.upstream, logger)
	if err != nil {
		return nil, nil, err
	}
	if proxy != nil {
		warnings = append(warnings, proxy.Warnings()...)
		routes = append(routes, proxy)
	}
	// Last, for it changes how the stores judge, which may be those in force.
	receiver, err := s.gate.Stores.Receiver(s.config)
	if err != nil {
		return nil, nil, err
	}
	if receiver != nil {
		routes = append(routes, at{revocation.Path, receiver})
	}
	return mux(routes), warnings, nil
}

// frontendProxy is the proxy of the Frontend API; nil where proxy_url is no path
// of a site. An empty upstream is that of the publishable key.
func frontendProxy(config *setup.Config, upstream string, logger *slog.Logger) (*frontendapi.Handler, error) {
	if !frontendapi.IsPath(config.Clerk.ProxyURL) {
		return nil, nil
	}
	return frontendapi.New(frontendapi.Options{
		Clerk: config.Clerk, Upstream: upstream, TrustedProxies: config.TrustedProxies, Logger: logger,
	})
}

// checkHTTP finds what serve --http would refuse of a document that is good for
// checks. Where nobody said that there will be an HTTP server, a document that has
// all that the Frontend API proxy needs to be one must describe one that works.
func checkHTTP(config *setup.Config, http bool) (warnings []policy.Warning, err error) {
	if !http && (config.Clerk.SecretKey == "" || !frontendapi.IsPath(config.Clerk.ProxyURL)) {
		return nil, nil
	}
	logger := slog.New(slog.DiscardHandler)
	s := &state{config: config, lease: setup.NewPool(setup.PoolOptions{}).Lease()}
	defer s.lease.Release()
	if s.gate, err = s.lease.Gate(config, setup.Options{}); err != nil {
		return nil, err
	}
	_, warnings, err = edgeHandler(s, &serveOptions{http: "validated"}, logger)
	return warnings, err
}

// route is a handler that knows its own paths.
type route interface {
	http.Handler
	Handles(path string) bool
}

// at is a handler of one path.
type at struct {
	path string
	http.Handler
}

// Handles reports whether the path is the handler's.
func (a at) Handles(path string) bool { return path == a.path }

// mux gives each request to the first route that handles its path as it was
// sent. It cleans and redirects nothing.
func mux(routes []route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		for _, route := range routes {
			if route.Handles(r.URL.EscapedPath()) {
				route.ServeHTTP(w, r)
				return
			}
		}
		http.NotFound(w, r)
	})
}

// address is where the server listens, or "".
func (e *edge) address() string {
	if e.listener == nil {
		return ""
	}
	return e.listener.Addr().String()
}

func (e *edge) close() {
	if e.server == nil {
		return
	}
	ctx, cancel := context.WithTimeout(context.Background(), edgeStop)
	defer cancel()
	_ = e.server.Shutdown(ctx) // what is left is cut off with the process
}
