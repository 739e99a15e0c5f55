package extauthz

import (
	"context"
	"fmt"
	"strings"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"

	"github.com/clerkgate/clerkgate/policy"
)

// Answer is the response of a server to [Ask].
type Answer struct {
	// Allowed reports whether the request is allowed.
	Allowed bool
	// Status is the HTTP status of the response to a denied request; 200 for an allowed
	// one.
	Status int
	// Upstream are the headers that are set on an allowed request, by name in lower case.
	Upstream map[string]string
	// Headers are those of the response to a denied request, by name in lower case, with
	// the last value of each.
	Headers map[string]string
}

// Ask sends one CheckRequest to the server at address ("host:port", or "unix:" and a
// path), as Envoy does with encode_raw_headers. It is for demos and for debugging a
// running server: the connection has no TLS. It returns an error if there is no
// response before ctx ends.
func Ask(ctx context.Context, address string, r *policy.Request) (Answer, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return Answer{}, fmt.Errorf("asking %s: %w", address, err)
	}
	defer conn.Close()
	response, err := authv3.NewAuthorizationClient(conn).Check(ctx, checkRequest(r))
	if err != nil {
		return Answer{}, fmt.Errorf("asking %s: %w", address, err)
	}
	return parseResponse(response), nil
}

// checkRequest returns the CheckRequest that Envoy would send.
func checkRequest(r *policy.Request) *authv3.CheckRequest {
	headers := &corev3.HeaderMap{Headers: []*corev3.HeaderValue{
		{Key: ":method", RawValue: []byte(r.Method)}, {Key: ":path", RawValue: []byte(r.Target)},
		{Key: ":authority", RawValue: []byte(r.Host)}, {Key: ":scheme", RawValue: []byte(r.Scheme)},
	}}
	for _, h := range r.Headers {
		headers.Headers = append(headers.Headers, &corev3.HeaderValue{Key: strings.ToLower(h.Name), RawValue: []byte(h.Value)})
	}
	return &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source: &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{
			SocketAddress: &corev3.SocketAddress{Address: r.Peer.String()},
		}}},
		Request: &authv3.AttributeContext_Request{Http: &authv3.AttributeContext_HttpRequest{
			Method: r.Method, Scheme: r.Scheme, Host: r.Host, Path: r.Target, HeaderMap: headers,
		}},
	}}
}

func parseResponse(response *authv3.CheckResponse) Answer {
	if denied := response.GetDeniedResponse(); response.GetStatus().GetCode() != 0 {
		return Answer{Status: int(denied.GetStatus().GetCode()), Headers: headerMap(denied.GetHeaders())}
	}
	return Answer{Allowed: true, Status: 200, Upstream: headerMap(response.GetOkResponse().GetHeaders())}
}

func headerMap(options []*corev3.HeaderValueOption) map[string]string {
	values := make(map[string]string, len(options))
	for _, o := range options {
		values[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	return values
}
