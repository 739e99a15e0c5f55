package extauthz

import (
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"runtime/debug"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/health"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/reflection"
	"google.golang.org/grpc/status"
)

// Bounds of the gRPC server.
const (
	// defaultStreams is more than Envoy's example configuration opens on one
	// connection, so that Envoy's bound is the one that counts.
	defaultStreams = 4096
	// maxCheck holds the headers of any request Envoy takes, and no body. What is
	// larger is refused, so that its log says why, up to what is still read.
	maxCheck          = 1 << 20
	maxMessage        = 8 << 20
	maxMetadata       = 16 << 10
	handshakeTimeout  = 5 * time.Second
	defaultAge        = 30 * time.Minute
	ageGrace          = 30 * time.Second
	pingAfter         = 30 * time.Second
	pingTimeout       = 10 * time.Second
	leastPingInterval = 10 * time.Second
)

// ServeOptions change how the gRPC server works.
type ServeOptions struct {
	// TLS secures the connections; see [TLSFiles]. Default: none, for loopback
	// and Unix sockets.
	TLS *tls.Config
	// Local says that the server listens on a Unix socket: connections are not
	// closed for their age, since there is nothing to spread them over.
	Local bool
	// MaxConcurrentStreams bounds the checks under way on one connection.
	// Default: 4096.
	MaxConcurrentStreams uint32
	// MaxConnectionAge closes connections, gracefully, so that Envoys spread
	// over servers that came later. Default: 30 minutes.
	MaxConnectionAge time.Duration
	// Reflection lets tools such as grpcurl list the services.
	Reflection bool
	// Logger takes panics outside of a check. Default: discarded.
	Logger *slog.Logger
}

// NewGRPC returns a gRPC server on which s answers checks, and its health, which is
// NOT_SERVING until [Ready]. The server is made here because its codec reads checks
// without the generated types: on any other server every check would end in an
// error, which Envoy lets pass under failure_mode_allow.
func NewGRPC(s *Server, o ServeOptions) (*grpc.Server, *health.Server) {
	server, h := newGRPC(o)
	server.RegisterService(&service, s)
	return server, h
}

// newGRPC returns a server that knows how checks come, and whose service is yet to
// be registered.
func newGRPC(o ServeOptions) (*grpc.Server, *health.Server) {
	if o.Logger == nil {
		o.Logger = slog.New(slog.DiscardHandler)
	}
	if o.MaxConcurrentStreams == 0 {
		o.MaxConcurrentStreams = defaultStreams
	}
	options := []grpc.ServerOption{
		grpc.ForceServerCodecV2(newCodec()),
		grpc.MaxConcurrentStreams(o.MaxConcurrentStreams),
		grpc.MaxRecvMsgSize(maxMessage),
		grpc.MaxHeaderListSize(maxMetadata),
		grpc.ConnectionTimeout(handshakeTimeout),
		grpc.WaitForHandlers(true),
		grpc.KeepaliveParams(o.keepalive()),
		// Envoy pings idle connections more often than gRPC allows by default.
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: leastPingInterval, PermitWithoutStream: true}),
		grpc.ChainUnaryInterceptor(recoverUnary(o.Logger)),
		grpc.ChainStreamInterceptor(recoverStream(o.Logger)),
	}
	if o.TLS != nil {
		options = append(options, grpc.Creds(credentials.NewTLS(o.TLS)))
	}
	server, h := grpc.NewServer(options...), health.NewServer()
	setHealth(h, healthv1.HealthCheckResponse_NOT_SERVING)
	healthv1.RegisterHealthServer(server, h)
	if o.Reflection {
		reflection.Register(server)
	}
	return server, h
}

func (o *ServeOptions) keepalive() keepalive.ServerParameters {
	p := keepalive.ServerParameters{Time: pingAfter, Timeout: pingTimeout}
	if !o.Local {
		p.MaxConnectionAge, p.MaxConnectionAgeGrace = o.MaxConnectionAge, ageGrace
		if p.MaxConnectionAge == 0 {
			p.MaxConnectionAge = defaultAge
		}
	}
	return p
}

// Ready reports health: SERVING once checks can be answered, for the server and
// for the service.
func Ready(h *health.Server, ready bool) {
	if ready {
		setHealth(h, healthv1.HealthCheckResponse_SERVING)
	} else {
		setHealth(h, healthv1.HealthCheckResponse_NOT_SERVING)
	}
}

func setHealth(h *health.Server, s healthv1.HealthCheckResponse_ServingStatus) {
	h.SetServingStatus("", s)
	h.SetServingStatus(ServiceName, s)
}

// Shutdown stops a server without an error for anyone: NOT_SERVING at once, a
// wait of drain for Envoy's health checks to see it, then no new calls and the
// rest finished. When ctx ends, what is left is cut off.
func Shutdown(ctx context.Context, server *grpc.Server, h *health.Server, drain time.Duration) {
	h.Shutdown()
	timer := time.NewTimer(drain)
	defer timer.Stop()
	select {
	case <-timer.C:
	case <-ctx.Done():
	}
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		server.GracefulStop()
	}()
	select {
	case <-stopped:
	case <-ctx.Done():
		server.Stop()
		<-stopped
	}
}

// recoverUnary is the last line: a check recovers its own panics into a refusal.
func recoverUnary(logger *slog.Logger) grpc.UnaryServerInterceptor {
	return func(ctx context.Context, request any, info *grpc.UnaryServerInfo, next grpc.UnaryHandler) (response any, err error) {
		defer func() {
			if v := recover(); v != nil {
				response, err = nil, recovered(ctx, logger, info.FullMethod, v)
			}
		}()
		return next(ctx, request)
	}
}

func recoverStream(logger *slog.Logger) grpc.StreamServerInterceptor {
	return func(service any, stream grpc.ServerStream, info *grpc.StreamServerInfo, next grpc.StreamHandler) (err error) {
		defer func() {
			if v := recover(); v != nil {
				err = recovered(stream.Context(), logger, info.FullMethod, v)
			}
		}()
		return next(service, stream)
	}
}

func recovered(ctx context.Context, logger *slog.Logger, method string, v any) error {
	logger.LogAttrs(ctx, slog.LevelError, "panic", slog.String("method", method), slog.String("cause", fmt.Sprintf("%v\n%s", v, debug.Stack())))
	return status.Error(codes.Internal, "internal error")
}
