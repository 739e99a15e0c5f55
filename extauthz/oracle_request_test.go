package extauthz

import (
	"net/netip"
	"slices"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/grpc/mem"
	"google.golang.org/protobuf/proto"

	"github.com/clerkgate/clerkgate/policy"
)

// The oracle is what the package would be with the generated types alone. Tests
// ask both, so that it is what the bytes mean that they test.

// oracle translates an encoded check by way of the generated types. It reports
// whether the bytes are a check at all.
func oracle(data []byte) (request *policy.Request, reason policy.Reason, isCheck bool) {
	var check authv3.CheckRequest
	if proto.Unmarshal(data, &check) != nil {
		return nil, policy.ReasonTargetMalformed, false
	}
	attributes := check.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	switch {
	case http == nil, http.GetPath() == "":
		return nil, policy.ReasonTargetMalformed, true
	case len(http.GetHeaderMap().GetHeaders()) == 0 && len(http.GetHeaders()) == 0:
		return nil, policy.ReasonHeaderMalformed, true
	}
	peer, err := netip.ParseAddr(attributes.GetSource().GetAddress().GetSocketAddress().GetAddress())
	if err != nil {
		peer = netip.Addr{}
	}
	return &policy.Request{
		Method: http.GetMethod(), Scheme: http.GetScheme(), Host: http.GetHost(), Target: http.GetPath(),
		Headers: oracleHeaders(http), Peer: peer, RuleName: attributes.GetContextExtensions()[ruleKey],
	}, "", true
}

func oracleHeaders(http *authv3.AttributeContext_HttpRequest) []policy.Header {
	var list []policy.Header
	for _, h := range http.GetHeaderMap().GetHeaders() {
		value := h.GetValue()
		if bytes := h.GetRawValue(); len(bytes) > 0 {
			value = string(bytes)
		}
		list = append(list, policy.Header{Name: h.GetKey(), Value: value})
	}
	if list == nil {
		for name, value := range http.GetHeaders() {
			list = append(list, policy.Header{Name: name, Value: value})
		}
		slices.SortFunc(list, func(a, b policy.Header) int { return strings.Compare(a.Name, b.Name) })
	}
	return slices.DeleteFunc(list, func(h policy.Header) bool { return strings.HasPrefix(h.Name, ":") })
}

// sameRequest compares what two readings say of a request.
var sameRequest = cmp.Options{compareAddr, cmpopts.EquateEmpty()}

// readAsOracle reads bytes as the server does, and fails where the generated
// types say otherwise. It returns the check.
func readAsOracle(t *testing.T, data []byte) *check {
	t.Helper()
	c := decode(t, data)
	want, wantReason, isCheck := oracle(data)
	if (c.err == nil) != isCheck {
		t.Fatalf("read with error %v; the generated types take it: %v", c.err, isCheck)
	}
	got, reason := c.policyRequest()
	if reason != wantReason {
		t.Fatalf("refused for %q, want %q", reason, wantReason)
	}
	if diff := cmp.Diff(want, got, sameRequest); diff != "" {
		t.Fatal(diff)
	}
	return c
}

// decode reads bytes as gRPC hands them over: in pieces, and in memory that is
// used again afterwards.
func decode(tb testing.TB, data []byte) *check {
	tb.Helper()
	data = slices.Clone(data)
	c := &check{}
	half := len(data) / 2
	if err := testCodec.Unmarshal(mem.BufferSlice{mem.SliceBuffer(data[:half]), mem.SliceBuffer(data[half:])}, c); err != nil {
		tb.Fatal(err)
	}
	for i := range data {
		data[i] = '#'
	}
	return c
}

var testCodec = newCodec()

// translate reads a check as the server does, and as the oracle does.
func translate(t *testing.T, check *authv3.CheckRequest) (*policy.Request, policy.Reason) {
	t.Helper()
	data, err := proto.Marshal(check)
	if err != nil {
		t.Fatal(err)
	}
	return readAsOracle(t, data).policyRequest()
}

// headers are those that translate reads.
func headers(t *testing.T, http *authv3.AttributeContext_HttpRequest) []policy.Header {
	t.Helper()
	http.Path = "/"
	r, reason := translate(t, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: http}}})
	if reason != "" {
		t.Fatalf("refused: %s", reason)
	}
	return r.Headers
}
