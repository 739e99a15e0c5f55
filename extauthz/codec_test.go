package extauthz

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/grpc"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/test/bufconn"
	"google.golang.org/protobuf/proto"

	"github.com/clerkgate/clerkgate/policy"
)

// bytesCodec sends and receives messages as they are.
type bytesCodec struct{ rawCodec }

func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	*v.(*[]byte) = data.Materialize()
	return nil
}

// TestWhatIsNoCheckIsRefusedByAResponse: an RPC that ends in an error follows
// failure_mode_allow, and a client who could bring that about would be let in.
func TestWhatIsNoCheckIsRefusedByAResponse(t *testing.T) {
	t.Parallel()
	for name, data := range map[string][]byte{
		"no protobuf":                    []byte("canary"),
		"cut short":                      {0x0a, 0x05, 'c', 'a'},
		"a path that is not UTF-8":       httpFields(str(4, "/canary\xff")),
		"too deep":                       lists(6000, nil),
		"nothing":                        nil,
		"a path, and then no more sense": append(httpFields(str(4, "/canary"), rawHeader(str(1, "a"), str(3, "b"))), 0x07),
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			listener := bufconn.Listen(1 << 20)
			open := fixed(policy.Decision{Outcome: policy.Allow})
			serve(t, listener, newServer(t, open, Options{Logger: slog.New(slog.NewTextHandler(&log, nil))}), ServeOptions{})
			var answer []byte
			err := dialListener(t, listener).Invoke(t.Context(), authv3.Authorization_Check_FullMethodName, data, &answer, grpc.ForceCodecV2(bytesCodec{}))
			if err != nil {
				t.Fatal(err)
			}
			response := &authv3.CheckResponse{}
			if err := proto.Unmarshal(answer, response); err != nil {
				t.Fatal(err)
			}
			if passes(response) || response.GetDeniedResponse().GetStatus().GetCode() != 400 {
				t.Errorf("response %v", response)
			}
			if !strings.Contains(log.String(), "reason=target-malformed") || strings.Contains(log.String(), "canary") {
				t.Errorf("log %s", log.String())
			}
		})
	}
}

// TestAnEmptyResponseIsNotSent: to Envoy it would be leave to pass.
func TestAnEmptyResponseIsNotSent(t *testing.T) {
	t.Parallel()
	for _, response := range []encoded{nil, {}} {
		if data, err := testCodec.Marshal(response); err == nil {
			t.Errorf("%v: no error", data)
		}
	}
}

// TestAServerWithoutTheCodecLetsNobodyPass, whatever the policy says.
func TestAServerWithoutTheCodecLetsNobodyPass(t *testing.T) {
	t.Parallel()
	listener := bufconn.Listen(1 << 16)
	g := grpc.NewServer()
	g.RegisterService(&service, newServer(t, fixed(policy.Decision{Outcome: policy.Allow}), Options{}))
	done := make(chan error, 1)
	go func() { done <- g.Serve(listener) }()
	t.Cleanup(func() {
		g.Stop()
		<-done
	})
	if response, err := authv3.NewAuthorizationClient(dialListener(t, listener)).Check(t.Context(), httpCheck(nil)); err == nil {
		t.Errorf("response %v", response)
	}
}

// TestTheServiceIsTheGeneratedOne in name, method and file.
func TestTheServiceIsTheGeneratedOne(t *testing.T) {
	t.Parallel()
	mine, generated := grpc.NewServer(), grpc.NewServer()
	mine.RegisterService(&service, newServer(t, fixed(policy.Decision{}), Options{}))
	authv3.RegisterAuthorizationServer(generated, alwaysOK{})
	got, want := mine.GetServiceInfo()[ServiceName], generated.GetServiceInfo()[ServiceName]
	if len(got.Methods) != 1 || len(want.Methods) != 1 || got.Methods[0] != want.Methods[0] || got.Metadata != want.Metadata {
		t.Errorf("got %+v, want %+v", got, want)
	}
}

// TestACheckIsAnsweredWithoutInterceptors, as well as with ours.
func TestACheckIsAnsweredWithoutInterceptors(t *testing.T) {
	t.Parallel()
	s := newServer(t, fixed(policy.Decision{}), Options{})
	answer, err := handleCheck(s, t.Context(), func(v any) error { return testCodec.Unmarshal(nil, v) }, nil)
	if err != nil || len(answer.(encoded)) == 0 {
		t.Errorf("answer %v, error %v", answer, err)
	}
	_, err = handleCheck(s, t.Context(), func(any) error { return context.Canceled }, nil)
	if err == nil {
		t.Error("what cannot be received is answered")
	}
}
