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
	// connection, so that Envoy's bound applies first.
	defaultStreams = 4096
	// maxCheck, in bytes, is enough for the headers of any request that Envoy accepts,
	// but not for bodies. A larger check, up to maxMessage, is denied with a log record.
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

// ServeOptions are those of [NewGRPC]. The zero value is valid.
type ServeOptions struct {
	// TLS encrypts the connections; see [TLSFiles]. Default: none, for loopback
	// and Unix sockets.
	TLS *tls.Config
	// Local says that the server listens on a Unix socket: connections are not closed
	// by their age, since there are no other servers to balance them over.
	Local bool
	// MaxConcurrentStreams bounds the concurrent checks on one connection.
	// Default: 4096.
	MaxConcurrentStreams uint32
	// MaxConnectionAge is the age at which connections are closed, gracefully, so that
	// they are balanced over servers that were started later. Default: 30 minutes.
	MaxConnectionAge time.Duration
	// Reflection enables gRPC server reflection, with which tools such as grpcurl list
	// the services. Default: disabled.
	Reflection bool
	// Logger logs panics outside of a check, at level error. Default: discarded.
	Logger *slog.Logger
}

// NewGRPC returns a gRPC server on which s answers checks, and its health service, which
// reports NOT_SERVING until [Ready]. The server is made here because it needs a codec
// that decodes checks without the generated types: on any other server every check would
// be an error, on which Envoy allows the request under failure_mode_allow.
func NewGRPC(s *Server, o ServeOptions) (*grpc.Server, *health.Server) {
	server, h := newGRPC(o)
	server.RegisterService(&service, s)
	return server, h
}

// newGRPC returns a server with the codec for checks, without the service.
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

// Ready sets the health of the server and of the service [ServiceName]: SERVING if
// ready, or else NOT_SERVING.
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

// Shutdown stops a server gracefully: it reports NOT_SERVING at once, waits for drain so
// that Envoy's health checks see it, then accepts no new calls and waits for those in
// progress. When ctx ends, the remaining calls are canceled.
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

// recoverUnary is the last resort: a check recovers from panics itself, and denies.
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
