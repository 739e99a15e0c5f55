package extauthz

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

// TestCorpus holds this adapter against the decisions that the policy itself
// is held against, over a real gRPC connection and in both header encodings.
func TestCorpus(t *testing.T) {
	t.Parallel()
	for _, c := range corpus.Load(t, "../policy/testdata/decisions") {
		for name, encode := range encodings {
			t.Run(c.Name+"/"+name, func(t *testing.T) {
				t.Parallel()
				if c.Request.Sent != "" {
					t.Skip("Envoy asks before it rewrites")
				}
				if name == "joined" && repeats(c.Request.Headers) {
					t.Skip("what becomes of repeated fields then is for TestHeadersAreReadFromEitherForm")
				}
				c := c // both encodings run at once, and each may want something else
				if upgrades(c.Request.Headers) && c.Want.Upstream["Upgrade"] == "" && c.Want.Status == http.StatusOK {
					// Envoy goes on with an upgrade whose fields are removed.
					c.Want = corpus.Want{Status: http.StatusBadRequest, Reason: policy.ReasonUpgradeRefused, Rule: c.Want.Rule}
				}
				client := dial(t, newServer(t, c.Policy(t), Options{}))
				var response *authv3.CheckResponse
				for range c.Times {
					var err error
					if response, err = client.Check(t.Context(), checkOf(c.PolicyRequest(), encode)); err != nil {
						t.Fatal(err)
					}
				}
				compareWithCase(t, &c, response)
			})
		}
	}
}

// An encoding puts headers into a check as Envoy does.
type encoding func(http *authv3.AttributeContext_HttpRequest, headers []policy.Header)

// encodings are encode_raw_headers on and off.
var encodings = map[string]encoding{"raw": encodeRaw, "joined": encodeJoined}

func encodeRaw(http *authv3.AttributeContext_HttpRequest, headers []policy.Header) {
	http.HeaderMap = &corev3.HeaderMap{}
	for _, h := range headers {
		http.HeaderMap.Headers = append(http.HeaderMap.Headers, &corev3.HeaderValue{Key: strings.ToLower(h.Name), RawValue: []byte(h.Value)})
	}
}

func encodeJoined(http *authv3.AttributeContext_HttpRequest, headers []policy.Header) {
	http.Headers = map[string]string{}
	for _, h := range headers {
		name, value := strings.ToLower(h.Name), strings.ToValidUTF8(h.Value, "!")
		if before, ok := http.Headers[name]; ok {
			value = before + "," + value
		}
		http.Headers[name] = value
	}
}

func upgrades(headers []policy.Header) bool {
	return slices.ContainsFunc(headers, func(h policy.Header) bool { return strings.EqualFold(h.Name, "Upgrade") })
}

func repeats(headers []policy.Header) bool {
	seen := map[string]bool{}
	for _, h := range headers {
		name := strings.ToLower(h.Name)
		if seen[name] {
			return true
		}
		seen[name] = true
	}
	return false
}

// checkOf is the check Envoy would send for a request.
func checkOf(r *policy.Request, encode encoding) *authv3.CheckRequest {
	http := &authv3.AttributeContext_HttpRequest{
		Id: "1234", Method: r.Method, Path: r.Target, Host: r.Host, Scheme: r.Scheme, Protocol: fmt.Sprintf("HTTP/%d", r.Version),
	}
	pseudo := []policy.Header{{Name: ":method", Value: r.Method}, {Name: ":path", Value: r.Target}, {Name: ":authority", Value: r.Host}, {Name: ":scheme", Value: r.Scheme}}
	encode(http, append(pseudo, r.Headers...))
	check := &authv3.CheckRequest{Attributes: &authv3.AttributeContext{
		Source:  peerAt(r.Peer),
		Request: &authv3.AttributeContext_Request{Http: http},
	}}
	if r.RuleName != "" {
		check.Attributes.ContextExtensions = map[string]string{ruleKey: r.RuleName}
	}
	return check
}

func peerAt(addr netip.Addr) *authv3.AttributeContext_Peer {
	return &authv3.AttributeContext_Peer{Address: &corev3.Address{Address: &corev3.Address_SocketAddress{SocketAddress: &corev3.SocketAddress{
		Address: addr.String(), PortSpecifier: &corev3.SocketAddress_PortValue{PortValue: 40000},
	}}}}
}

func compareWithCase(t *testing.T, c *corpus.Case, response *authv3.CheckResponse) {
	t.Helper()
	want := c.Want
	fields := response.GetDynamicMetadata().GetFields()
	if got := fields["reason"].GetStringValue(); got != string(want.Reason) {
		t.Errorf("reason %s, want %s", got, want.Reason)
	}
	if got := fields["rule"].GetStringValue(); got != want.Rule {
		t.Errorf("rule %q, want %q", got, want.Rule)
	}
	if got := fields["shadow"].GetStringValue(); want.Shadow != "" && got != string(want.Shadow) {
		t.Errorf("shadow %s, want %s", got, want.Shadow)
	}
	if want.Outcome != "" && fields["decision"].GetStringValue() != want.Outcome {
		t.Errorf("outcome %v, want %s", fields["decision"], want.Outcome)
	}
	if passes(response) != (want.Status == http.StatusOK) {
		t.Fatalf("passes: %v, want status %d", passes(response), want.Status)
	}
	for _, release := range releases {
		upstream := release.upstream(c.Request.Headers, response.GetOkResponse())
		for name, value := range want.Upstream {
			corpus.CheckField(t, "upstream of "+release.name, name, upstream.Values(name), value)
		}
		client := release.client(response)
		for name, value := range want.Response {
			corpus.CheckField(t, "response of "+release.name, name, client.Values(name), value)
		}
	}
	compareRefusal(t, &want, response.GetDeniedResponse())
}

func compareRefusal(t *testing.T, want *corpus.Want, denied *authv3.DeniedHttpResponse) {
	t.Helper()
	if want.Status == http.StatusOK {
		return
	}
	if got := int(denied.GetStatus().GetCode()); got != want.Status {
		t.Errorf("status %d, want %d", got, want.Status)
	}
	for _, text := range want.Body {
		if !strings.Contains(denied.GetBody(), text) {
			t.Errorf("body %s\nlacks %s", denied.GetBody(), text)
		}
	}
	if want.GRPC != nil {
		corpus.CheckField(t, "response", "grpc-status", values(denied.GetHeaders(), "grpc-status"), strconv.Itoa(int(*want.GRPC)))
	}
}
