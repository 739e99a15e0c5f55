package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/signal"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/spf13/cobra"

	"github.com/clerkgate/clerkgate/extauthz"
	"github.com/clerkgate/clerkgate/service"
)

// serveOptions are the flags of serve.
type serveOptions struct {
	config     string
	grpc       string
	forward    string
	admin      string
	http       string
	frontend   string
	tls        extauthz.TLSFiles
	timeout    time.Duration
	forwardFor time.Duration
	drain      time.Duration
	watch      time.Duration
	reflection bool
	outage     bool
	logLevel   slog.Level
	logText    bool
}

// stopLimit is how long checks under way may take once the drain is over.
const stopLimit = 10 * time.Second

// adapter is what metrics call this host.
const adapter = "envoy"

func serveCommand() *cobra.Command {
	var o serveOptions
	var level string
	cmd := &cobra.Command{
		Use:   "serve --config <file>",
		Short: "Answer Envoy's ext_authz checks, and forward auth",
		Long: `serve answers envoy.service.auth.v3.Authorization by a policy document, and with
--forward-auth the checks of nginx, HAProxy, Traefik, Caddy and Envoy by HTTP: each
under a path of its own, /forward-auth/nginx and so on, and to peers alone that are
in trusted_proxies of the document, on the Unix socket, or show a client certificate.

It reports health as grpc.health.v1, for the server and for the service, and on
the admin address: /healthz, /readyz, /metrics, /buildinfo; /readyz?verbose says what is
not ready, and why. When the document or a file that it names changes, and on SIGHUP,
it reads the document again, and goes on with the old one where the new one is wrong. On
SIGTERM it reports NOT_SERVING, waits for the drain, finishes what is under way and
stops; a second signal ends it at once.`,
		Example: `  clerkgate serve --config clerkgate.yaml
  clerkgate serve --config clerkgate.yaml --grpc unix:/run/clerkgate/grpc.sock
  clerkgate serve --config clerkgate.yaml --forward-auth :9001
  clerkgate serve --config clerkgate.yaml --http :9080   # the session page, and the Frontend API proxy
  clerkgate serve --config clerkgate.yaml --grpc :9000 \
      --tls-cert tls.crt --tls-key tls.key --tls-client-ca ca.crt --tls-client-san envoy.internal`,
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := o.logLevel.UnmarshalText([]byte(level)); err != nil {
				return fmt.Errorf("--log-level %q: write debug, info, warn or error", level)
			}
			if o.watch < 0 {
				return fmt.Errorf("--watch %s: write a time, or 0 for never", o.watch)
			}
			return serve(cmd.Context(), &o)
		},
	}
	f := cmd.Flags()
	f.StringVar(&o.config, "config", defaultConfig, "the policy document")
	f.StringVar(&o.grpc, "grpc", "127.0.0.1:9000", "where to listen for checks: host:port or unix:/path")
	f.StringVar(&o.forward, "forward-auth", "", "where to listen for forward auth: host:port or unix:/path; may be that of --http; empty: nowhere")
	f.StringVar(&o.admin, "admin", defaultAdmin, "where to serve health and metrics; empty: nowhere")
	f.StringVar(&o.http, "http", "", "where to serve the session page and the Frontend API proxy; empty: nowhere")
	f.StringVar(&o.frontend, "frontend-api", "", "base of Clerk's Frontend API; empty: by the publishable key")
	f.StringVar(&o.tls.Cert, "tls-cert", "", "certificate chain of the server, PEM")
	f.StringVar(&o.tls.Key, "tls-key", "", "its key, PEM")
	f.StringVar(&o.tls.ClientCA, "tls-client-ca", "", "authorities of client certificates, PEM; with it clients must show one")
	f.StringSliceVar(&o.tls.ClientSANs, "tls-client-san", nil, "names a client certificate must have one of")
	f.DurationVar(&o.timeout, "timeout", 150*time.Millisecond, "time for one check; keep it below Envoy's")
	f.DurationVar(&o.forwardFor, "forward-auth-timeout", 2*time.Second, "time for one check by forward auth; keep it below the proxy's")
	f.DurationVar(&o.drain, "drain", 10*time.Second, "how long to report NOT_SERVING before stopping")
	f.DurationVar(&o.watch, "watch", time.Second, "how often to look whether the document or a file that it names has changed; 0: on SIGHUP alone")
	f.BoolVar(&o.reflection, "reflection", false, "let tools list the gRPC services")
	f.BoolVar(&o.outage, "outage-as-error", false, "answer outages as ext_authz errors, which failure_mode_allow lets pass")
	f.StringVar(&level, "log-level", "info", "debug, info, warn or error")
	f.BoolVar(&o.logText, "log-text", false, "log as text in place of JSON")
	return cmd
}

func (o *serveOptions) logger() *slog.Logger {
	options := &slog.HandlerOptions{Level: o.logLevel}
	if o.logText {
		return slog.New(slog.NewTextHandler(os.Stderr, options))
	}
	return slog.New(slog.NewJSONHandler(os.Stderr, options))
}

// serve runs until ctx ends.
func serve(ctx context.Context, o *serveOptions) error {
	hangup := make(chan os.Signal, 1)
	signal.Notify(hangup, syscall.SIGHUP) // at once: unheard it would end the process
	defer signal.Stop(hangup)
	logger := o.logger()
	registry := newRegistry()
	gate, err := o.open(registry, logger)
	if err != nil {
		return err
	}
	defer gate.Close()
	authz, err := extauthz.New(gate, extauthz.Options{Logger: logger, Metrics: registry, Timeout: o.timeout, OutageAsError: o.outage})
	if err != nil {
		return err
	}
	var draining atomic.Bool
	readiness := func() service.Readiness {
		return gate.Readiness().With(servingPart(draining.Load()))
	}
	options := extauthz.ServeOptions{Local: extauthz.IsLocal(o.grpc), Reflection: o.reflection, Logger: logger}
	if o.tls.Cert != "" || o.tls.Key != "" || o.tls.ClientCA != "" {
		if options.TLS, err = o.tls.Config(); err != nil {
			return err
		}
	}
	server, health := extauthz.NewGRPC(authz, options)
	listener, err := extauthz.Listen(ctx, o.grpc)
	if err != nil {
		return err
	}
	admin, err := startAdmin(ctx, o.admin, readiness, registry)
	if err != nil {
		listener.Close()
		return err
	}
	defer admin.close()
	checks, pages, err := o.startHTTP(ctx, gate, registry, options.TLS, logger)
	if err != nil {
		listener.Close()
		return err
	}
	defer pages.close()
	defer checks.close()

	running, stop := context.WithCancel(ctx)
	defer stop()
	go watchReadiness(running, readiness, func(now service.Readiness) {
		logReadiness(logger, now)
		extauthz.Ready(health, now.Ready)
	})
	go reloadOn(running, hangup, gate)
	if o.watch > 0 {
		go gate.Watch(running, o.watch)
	}
	served := make(chan error, 1)
	go func() { served <- server.Serve(listener) }()
	logger.Info("serving", "grpc", listener.Addr().String(), "forward_auth", checks.address(), "admin", admin.address(), "http", pages.address(), "tls", options.TLS != nil, "version", readBuild().Version)

	select {
	case err := <-served:
		return fmt.Errorf("serving: %w", err)
	case <-ctx.Done():
	}
	logger.Info("draining", "for", o.drain.String())
	draining.Store(true)
	stop()
	limit, cancel := context.WithTimeout(context.WithoutCancel(ctx), o.drain+stopLimit)
	defer cancel()
	extauthz.Shutdown(limit, server, health, o.drain)
	<-served // which closes the listener, also where it had not begun
	logger.Info("stopped")
	return nil
}

// open loads the document and starts what it says.
func (o *serveOptions) open(registry *prometheus.Registry, logger *slog.Logger) (*service.Service, error) {
	return service.Open(o.config, service.Options{
		Logger: logger, Metrics: registry, Adapter: adapter,
		DecideOnly: o.http == "", SessionPage: true, FrontendAPI: o.frontend,
	})
}

// reloadOn reads the document again on each signal.
func reloadOn(ctx context.Context, hangup <-chan os.Signal, gate *service.Service) {
	for {
		select {
		case <-ctx.Done():
			return
		case <-hangup:
		}
		_ = gate.Reload() // which logs it
	}
}
