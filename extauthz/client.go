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

// Answer is what a server answered to [Ask].
type Answer struct {
	// Allowed reports whether the request may pass.
	Allowed bool
	// Status is the HTTP status of the refusal; 200 where the request may pass.
	Status int
	// Upstream are the headers set on the request, lower case.
	Upstream map[string]string
	// Headers are those of the refusal, lower case; the last of a name counts.
	Headers map[string]string
}

// Ask sends one check to a server, in the form in which Envoy does with
// encode_raw_headers. It is for demos and for looking into a running server:
// the connection is not secured.
func Ask(ctx context.Context, address string, r *policy.Request) (Answer, error) {
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return Answer{}, fmt.Errorf("asking %s: %w", address, err)
	}
	defer conn.Close()
	response, err := authv3.NewAuthorizationClient(conn).Check(ctx, askedCheck(r))
	if err != nil {
		return Answer{}, fmt.Errorf("asking %s: %w", address, err)
	}
	return answerOf(response), nil
}

// askedCheck is the check that Envoy would send.
func askedCheck(r *policy.Request) *authv3.CheckRequest {
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

func answerOf(response *authv3.CheckResponse) Answer {
	if denied := response.GetDeniedResponse(); response.GetStatus().GetCode() != 0 {
		return Answer{Status: int(denied.GetStatus().GetCode()), Headers: valuesOf(denied.GetHeaders())}
	}
	return Answer{Allowed: true, Status: 200, Upstream: valuesOf(response.GetOkResponse().GetHeaders())}
}

func valuesOf(options []*corev3.HeaderValueOption) map[string]string {
	values := make(map[string]string, len(options))
	for _, o := range options {
		values[o.GetHeader().GetKey()] = o.GetHeader().GetValue()
	}
	return values
}
