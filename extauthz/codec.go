package extauthz

import (
	"context"
	"errors"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	grpcencoding "google.golang.org/grpc/encoding"
	"google.golang.org/grpc/encoding/proto"
	"google.golang.org/grpc/mem"
)

// encoded is a CheckResponse in the protobuf wire format.
type encoded []byte

// codec is gRPC's codec for protobuf, except for CheckRequest and CheckResponse.
type codec struct {
	grpcencoding.CodecV2
	check *message
}

func newCodec() codec {
	return codec{CodecV2: grpcencoding.GetCodecV2(proto.Name), check: newCheckReader()}
}

// Unmarshal decodes a message. Bytes that are no CheckRequest are not an error, but a
// check that is denied: with failure_mode_allow, Envoy allows a request on an error.
func (c codec) Unmarshal(data mem.BufferSlice, v any) error {
	check, ok := v.(*check)
	if !ok {
		return c.CodecV2.Unmarshal(data, v)
	}
	buffer := data.MaterializeToBuffer(mem.DefaultBufferPool())
	defer buffer.Free()
	check.read(c.check, buffer.ReadOnlyData())
	return nil
}

// Marshal encodes a message. It returns an error for an empty CheckResponse, with which
// Envoy would allow the request.
func (c codec) Marshal(v any) (mem.BufferSlice, error) {
	response, ok := v.(encoded)
	if !ok {
		return c.CodecV2.Marshal(v)
	}
	if len(response) == 0 {
		return nil, errors.New("extauthz: an empty response")
	}
	return mem.BufferSlice{mem.SliceBuffer(response)}, nil
}

// service is authv3.Authorization_ServiceDesc, with the message types of codec.
var service = grpc.ServiceDesc{
	ServiceName: ServiceName,
	HandlerType: (*any)(nil),
	Methods:     []grpc.MethodDesc{{MethodName: "Check", Handler: handleCheck}},
	Metadata:    "envoy/service/auth/v3/external_auth.proto",
}

// handleCheck is a [grpc.MethodHandler].
func handleCheck(server any, ctx context.Context, decode func(any) error, intercept grpc.UnaryServerInterceptor) (any, error) {
	c := &check{}
	if err := decode(c); err != nil {
		return nil, err
	}
	handle := func(ctx context.Context, request any) (any, error) {
		return server.(*Server).handle(ctx, request.(*check)), nil
	}
	if intercept == nil {
		return handle(ctx, c)
	}
	info := &grpc.UnaryServerInfo{Server: server, FullMethod: authv3.Authorization_Check_FullMethodName}
	return intercept(ctx, c, info, handle)
}
