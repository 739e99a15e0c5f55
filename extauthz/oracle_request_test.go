package extauthz

import (
	"net/netip"
	"regexp"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
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
	case !oracleWhole(http):
		return nil, policy.ReasonProxyMisconfigured, true
	}
	peer, err := netip.ParseAddr(attributes.GetSource().GetAddress().GetSocketAddress().GetAddress())
	if err != nil {
		peer = netip.Addr{}
	}
	return &policy.Request{
		Method: http.GetMethod(), Version: oracleVersion(http.GetProtocol()), Scheme: http.GetScheme(), Host: http.GetHost(), Target: http.GetPath(),
		Headers: oracleHeaders(http), Peer: peer, UpgradeStands: true, Unseen: !tellsScheme(http), RuleName: attributes.GetContextExtensions()[ruleKey],
	}, "", true
}

// tellsScheme reports whether a check has the field that Envoy always sends, in the
// form that is read.
func tellsScheme(http *authv3.AttributeContext_HttpRequest) bool {
	return slices.ContainsFunc(oracleHeaders(http), func(h policy.Header) bool { return h.Name == "x-forwarded-proto" })
}

// oracleVersion is the digit after HTTP/.
func oracleVersion(protocol string) int {
	version := regexp.MustCompile(`^HTTP/([0-9])`).FindStringSubmatch(protocol)
	if version == nil {
		return 0
	}
	return int(version[1][0] - '0')
}

// oracleWhole reports whether the pseudo headers are in the form that counts.
func oracleWhole(http *authv3.AttributeContext_HttpRequest) bool {
	found := map[string]bool{}
	for _, h := range http.GetHeaderMap().GetHeaders() {
		found[h.GetKey()] = true
	}
	if len(found) == 0 {
		for name := range http.GetHeaders() {
			found[name] = true
		}
	}
	return found[":method"] && found[":path"]
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
	got, reason, _ := c.policyRequest()
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
	r, reason, _ := readAsOracle(t, data).policyRequest()
	return r, reason
}

// headers are those that translate reads.
func headers(t *testing.T, http *authv3.AttributeContext_HttpRequest) []policy.Header {
	t.Helper()
	http.Path = "/"
	if http.Headers != nil {
		http.Headers[":method"], http.Headers[":path"] = "GET", "/"
	}
	if list := http.GetHeaderMap(); list != nil && len(list.Headers) > 0 {
		list.Headers = append(list.Headers, &corev3.HeaderValue{Key: ":path", RawValue: []byte("/")}, &corev3.HeaderValue{Key: ":method", RawValue: []byte("GET")})
	}
	r, reason := translate(t, &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{Http: http}}})
	if reason != "" {
		t.Fatalf("refused: %s", reason)
	}
	return r.Headers
}
