package main

import (
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/netip"
	"sync/atomic"
	"time"

	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/internal/frontendapi"
	"github.com/clerkgate/clerkgate/internal/sessionpage"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
	"github.com/clerkgate/clerkgate/session"
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
	options  *serveOptions
	gates    *gates
	logger   *slog.Logger
	handler  atomic.Pointer[http.Handler] // of the document in force
	server   *http.Server
	listener net.Listener
}

// startEdge listens where --http says; without it nothing is served.
func startEdge(ctx context.Context, o *serveOptions, gates *gates, logger *slog.Logger) (*edge, error) {
	e := &edge{options: o, gates: gates, logger: logger}
	if err := e.reload(); err != nil {
		return nil, fmt.Errorf("--http: %w", err)
	}
	if o.http == "" {
		return e, nil
	}
	var err error
	if e.listener, err = new(net.ListenConfig).Listen(ctx, "tcp", o.http); err != nil {
		return nil, fmt.Errorf("listening for HTTP: %w", err)
	}
	e.server = &http.Server{
		Handler:           http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) { (*e.handler.Load()).ServeHTTP(w, r) }),
		ReadHeaderTimeout: edgeHeaderTimeout,
		ReadTimeout:       edgeTimeout,
		WriteTimeout:      edgeTimeout,
		MaxHeaderBytes:    edgeHeaderBytes,
		ErrorLog:          slog.NewLogLogger(logger.Handler(), slog.LevelDebug),
	}
	go e.server.Serve(e.listener) //nolint:errcheck // it ends with close
	return e, nil
}

// reload puts the handlers of the document in force in place of those before. On
// an error nothing changes.
func (e *edge) reload() error {
	if e.options.http == "" {
		return nil
	}
	parts := e.gates.inForce()
	parts.logger, parts.frontendAPI = e.logger, e.options.upstream
	handler, warnings, err := edgeHandler(parts)
	if err != nil {
		return err
	}
	e.handler.Store(&handler)
	for _, warning := range warnings {
		e.logger.Warn("http", "warning", warning)
	}
	return nil
}

// inForce is the document in force, and what was made of it.
func (g *gates) inForce() edgeParts {
	g.mu.Lock()
	defer g.mu.Unlock()
	return edgeParts{config: g.config, authenticator: g.session, stores: g.stores, upstream: g.gate.Load().Upstream}
}

// edgeParts are what the handlers are made of.
type edgeParts struct {
	config        *setup.Config
	authenticator *session.Authenticator
	stores        *setup.Stores
	upstream      *setup.Upstream
	logger        *slog.Logger
	// frontendAPI is the base of Clerk's Frontend API; empty: by the key.
	frontendAPI string
}

// edgeHandler is everything that is served by HTTP beside the checks: the
// session page, Clerk's webhooks, the keys of assertions, and where proxy_url has
// a path of a site, the Frontend API.
func edgeHandler(p edgeParts) (handler http.Handler, warnings []string, err error) {
	page, err := sessionpage.New(sessionpage.Options{
		Clerk: p.config.Clerk, Authenticator: p.authenticator, TrustedProxies: p.config.TrustedProxies, Facts: facts,
		Instance: policy.Instance{SignInURL: p.authenticator.SignInURL(), Origins: p.authenticator.AuthorizedParties()},
		Limiter:  p.stores.Limiter, Logger: p.logger, Revoker: p.stores.Revocations, Revocations: p.stores.Revocations,
	})
	if err != nil {
		return nil, nil, err
	}
	routes := []route{page}
	receiver, err := p.stores.Receiver(p.config)
	if err != nil {
		return nil, nil, err
	}
	if receiver != nil {
		routes = append(routes, at{revocation.Path, receiver})
	}
	if p.upstream.Assertions != nil {
		routes = append(routes, at{assertion.Path, p.upstream.Assertions})
	}
	if frontendapi.IsPath(p.config.Clerk.ProxyURL) {
		proxy, err := frontendapi.New(frontendapi.Options{
			Clerk: p.config.Clerk, Upstream: p.frontendAPI, TrustedProxies: p.config.TrustedProxies, Facts: facts, Logger: p.logger,
		})
		if err != nil {
			return nil, nil, err
		}
		warnings = append(warnings, proxy.Warnings()...)
		routes = append(routes, proxy)
	}
	return mux(routes), warnings, nil
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

// facts copies the facts of a request for the policy. What a proxy in front says
// of scheme and client is among the fields, and counts where it is trusted.
func facts(r *http.Request) *policy.Request {
	scheme := "http"
	if r.TLS != nil {
		scheme = "https"
	}
	peer, _ := netip.ParseAddrPort(r.RemoteAddr)
	request := &policy.Request{Method: r.Method, Scheme: scheme, Host: r.Host, Target: r.RequestURI, Peer: peer.Addr()}
	for name, values := range r.Header {
		for _, value := range values {
			request.Headers = append(request.Headers, policy.Header{Name: name, Value: value})
		}
	}
	return request
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
