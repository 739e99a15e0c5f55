package extauthz

import (
	"net/netip"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"google.golang.org/protobuf/types/known/structpb"

	"github.com/clerkgate/clerkgate/policy"
)

// compareAddr compares addresses by value.
var compareAddr = cmpopts.EquateComparable(netip.Addr{})

func httpCheck(change func(*authv3.AttributeContext, *authv3.AttributeContext_HttpRequest)) *authv3.CheckRequest {
	http := &authv3.AttributeContext_HttpRequest{
		Method: "GET", Scheme: "https", Host: "app.example.com", Path: "/a?b=c", Protocol: "HTTP/2",
		Headers: map[string]string{":path": "/a?b=c", ":method": "GET", "accept": "*/*"},
	}
	attributes := &authv3.AttributeContext{Source: peerAt(netip.MustParseAddr("198.51.100.7")), Request: &authv3.AttributeContext_Request{Http: http}}
	if change != nil {
		change(attributes, http)
	}
	return &authv3.CheckRequest{Attributes: attributes}
}

func TestEveryAttributeIsCopiedAsItIsOrLeftOut(t *testing.T) {
	t.Parallel()
	type (
		attributes = *authv3.AttributeContext
		request    = *authv3.AttributeContext_HttpRequest
	)
	tests := []struct {
		name   string
		change func(attributes, request)
		want   func(*policy.Request)
	}{
		{"a plain request", nil, func(*policy.Request) {}},
		{"the method, in any case and unknown", func(_ attributes, r request) { r.Method = "qUERY" }, func(r *policy.Request) { r.Method = "qUERY" }},
		{"the scheme", func(_ attributes, r request) { r.Scheme = "http" }, func(r *policy.Request) { r.Scheme = "http" }},
		{"the host with case, port and dot", func(_ attributes, r request) { r.Host = "App.example.COM.:8443" }, func(r *policy.Request) { r.Host = "App.example.COM.:8443" }},
		{"a path that a URL parser takes for a host", func(_ attributes, r request) { r.Path = "//admin/x" }, func(r *policy.Request) { r.Target = "//admin/x" }},
		{"a path with a fragment", func(_ attributes, r request) { r.Path = "/x#y?z" }, func(r *policy.Request) { r.Target = "/x#y?z" }},
		{"a path with bad and encoded bytes", func(_ attributes, r request) { r.Path = "/%zz%2f..%5c;\\?%00" }, func(r *policy.Request) { r.Target = "/%zz%2f..%5c;\\?%00" }},
		{"the path of a request to a proxy", func(_ attributes, r request) { r.Path = "http://h/x" }, func(r *policy.Request) { r.Target = "http://h/x" }},
		{"the query attribute, which Envoy leaves empty", func(_ attributes, r request) { r.Query, r.Fragment = "q=1", "f" }, func(*policy.Request) {}},
		{"id, size, body and time", func(_ attributes, r request) {
			r.Id, r.Size, r.Body, r.RawBody = "7", -1, "b", []byte("r")
		}, func(*policy.Request) {}},
		{"another protocol", func(_ attributes, r request) { r.Protocol = "HTTP/1.1" }, func(r *policy.Request) { r.Version = 1 }},
		{"a protocol that is none", func(_ attributes, r request) { r.Protocol = "HTTP/" }, func(r *policy.Request) { r.Version = 0 }},
		{"a header that Envoy sets on every request", func(_ attributes, r request) { r.Headers["x-forwarded-proto"] = "https" }, func(r *policy.Request) {
			r.Unseen, r.Headers = false, append(r.Headers, policy.Header{Name: "x-forwarded-proto", Value: "https"})
		}},
		{"pseudo headers that say otherwise", func(_ attributes, r request) {
			r.Headers[":path"], r.Headers[":method"], r.Headers[":authority"], r.Headers[":scheme"] = "/other", "POST", "other", "http"
		}, func(*policy.Request) {}},
		{"the rule named by the route", func(a attributes, _ request) {
			a.ContextExtensions = map[string]string{ruleKey: "admin", "vhost": "app"}
		}, func(r *policy.Request) { r.RuleName = "admin" }},
		{"a header of the name of the extension", func(_ attributes, r request) { r.Headers[ruleKey] = "admin" },
			func(r *policy.Request) { r.Headers = append(r.Headers, policy.Header{Name: ruleKey, Value: "admin"}) }},
		{"metadata, SNI, principals and labels", func(a attributes, _ request) {
			a.Source.Service, a.Source.Principal, a.Source.Certificate = "s", "spiffe://x", "c"
			a.Source.Labels = map[string]string{ruleKey: "admin"}
			a.Destination = &authv3.AttributeContext_Peer{Principal: "p", Address: a.Source.Address}
			a.MetadataContext = &corev3.Metadata{FilterMetadata: map[string]*structpb.Struct{ruleKey: {}}}
			a.TlsSession = &authv3.AttributeContext_TLSSession{Sni: "other.example.com"}
		}, func(*policy.Request) {}},
		{"an IPv6 peer", func(a attributes, _ request) { a.Source = peerAt(netip.MustParseAddr("2001:db8::1")) },
			func(r *policy.Request) { r.Peer = netip.MustParseAddr("2001:db8::1") }},
		{"a peer on a pipe", func(a attributes, _ request) {
			a.Source.Address = &corev3.Address{Address: &corev3.Address_Pipe{Pipe: &corev3.Pipe{Path: "/run/x"}}}
		}, func(r *policy.Request) { r.Peer = netip.Addr{} }},
		{"a peer inside Envoy", func(a attributes, _ request) {
			a.Source.Address = &corev3.Address{Address: &corev3.Address_EnvoyInternalAddress{EnvoyInternalAddress: &corev3.EnvoyInternalAddress{}}}
		}, func(r *policy.Request) { r.Peer = netip.Addr{} }},
		{"a peer that is no address", func(a attributes, _ request) {
			a.Source.Address.GetSocketAddress().Address = "localhost"
		}, func(r *policy.Request) { r.Peer = netip.Addr{} }},
		{"no peer", func(a attributes, _ request) { a.Source = nil }, func(r *policy.Request) { r.Peer = netip.Addr{} }},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			want := policy.Request{Method: "GET", Version: 2, Unseen: true, UpgradeStands: true, Scheme: "https", Host: "app.example.com", Target: "/a?b=c",
				Headers: []policy.Header{{Name: "accept", Value: "*/*"}}, Peer: netip.MustParseAddr("198.51.100.7")}
			test.want(&want)
			got, reason := translate(t, httpCheck(test.change))
			if reason != "" {
				t.Fatalf("refused: %s", reason)
			}
			if diff := cmp.Diff(want, *got, compareAddr); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHeadersAreReadFromEitherForm(t *testing.T) {
	t.Parallel()
	raw := func(list ...*corev3.HeaderValue) *authv3.AttributeContext_HttpRequest {
		return &authv3.AttributeContext_HttpRequest{HeaderMap: &corev3.HeaderMap{Headers: list}}
	}
	tests := []struct {
		name string
		http *authv3.AttributeContext_HttpRequest
		want []policy.Header
	}{
		{"raw values, in order, repeated and unchanged", raw(
			&corev3.HeaderValue{Key: ":path", RawValue: []byte("/")},
			&corev3.HeaderValue{Key: "cookie", RawValue: []byte("a=1")},
			&corev3.HeaderValue{Key: "b", RawValue: []byte("\xff\x00")},
			&corev3.HeaderValue{Key: "cookie", RawValue: []byte("c=2, d=3")},
		), []policy.Header{{Name: "cookie", Value: "a=1"}, {Name: "b", Value: "\xff\x00"}, {Name: "cookie", Value: "c=2, d=3"}}},
		{"value where there is no raw value", raw(&corev3.HeaderValue{Key: "a", Value: "v"}, &corev3.HeaderValue{Key: "b"}),
			[]policy.Header{{Name: "a", Value: "v"}, {Name: "b"}}},
		{"the raw value before the other", raw(&corev3.HeaderValue{Key: "a", Value: "v", RawValue: []byte("r")}), []policy.Header{{Name: "a", Value: "r"}}},
		{"a field without a name, which the policy refuses", raw(&corev3.HeaderValue{RawValue: []byte("r")}), []policy.Header{{Value: "r"}}},
		{"the map, joined as it is, in the order of names", &authv3.AttributeContext_HttpRequest{Headers: map[string]string{
			"cookie": "a=1,__session=x", ":path": "/", "authorization": "Bearer a,Bearer b", "b": "2"}},
			[]policy.Header{{Name: "authorization", Value: "Bearer a,Bearer b"}, {Name: "b", Value: "2"}, {Name: "cookie", Value: "a=1,__session=x"}}},
		{"the raw form where both are there", &authv3.AttributeContext_HttpRequest{
			Headers:   map[string]string{"a": "map"},
			HeaderMap: &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "a", RawValue: []byte("raw")}}}},
			[]policy.Header{{Name: "a", Value: "raw"}}},
		{"the map where the raw form is empty", &authv3.AttributeContext_HttpRequest{
			Headers: map[string]string{"a": "map"}, HeaderMap: &corev3.HeaderMap{}}, []policy.Header{{Name: "a", Value: "map"}}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, headers(t, test.http)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// TestWhatIsNoRequestIsRefused holds even under a policy in shadow mode that
// lets everything pass.
func TestWhatIsNoRequestIsRefused(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name  string
		check *authv3.CheckRequest
		want  policy.Reason
	}{
		{"no message", nil, policy.ReasonTargetMalformed},
		{"no attributes", &authv3.CheckRequest{}, policy.ReasonTargetMalformed},
		{"a check of the network filter", &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Source: peerAt(netip.MustParseAddr("::1"))}}, policy.ReasonTargetMalformed},
		{"a request that is not HTTP", &authv3.CheckRequest{Attributes: &authv3.AttributeContext{Request: &authv3.AttributeContext_Request{}}}, policy.ReasonTargetMalformed},
		{"CONNECT, which has no path", httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			r.Method, r.Path = "CONNECT", ""
		}), policy.ReasonTargetMalformed},
		{"no headers in either form", httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			r.Headers, r.HeaderMap = nil, &corev3.HeaderMap{}
		}), policy.ReasonProxyMisconfigured},
		{"only what allowed_headers let through", httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			r.Headers = map[string]string{"accept": "*/*", "cookie": "a=1"}
		}), policy.ReasonProxyMisconfigured},
		{"the same in the raw form", httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			r.Headers, r.HeaderMap = nil, &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "cookie", RawValue: []byte("a=1")}}}
		}), policy.ReasonProxyMisconfigured},
		{"all but one", httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			delete(r.Headers, ":path")
		}), policy.ReasonProxyMisconfigured},
		{"the form that does not count", httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			r.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: "cookie", RawValue: []byte("a=1")}}}
		}), policy.ReasonProxyMisconfigured},
		{"a body", httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
			r.RawBody = make([]byte, maxCheck)
		}), policy.ReasonProxyMisconfigured},
	}
	open := newPolicy(t, policy.Config{Mode: "shadow", Default: policy.Default{Access: policy.Public}}, bearers{})
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response, err := newServer(t, open, Options{}).Check(t.Context(), test.check)
			if err != nil {
				t.Fatal(err)
			}
			if passes(response) || response.GetDeniedResponse() == nil {
				t.Fatal("it may pass")
			}
			if got := response.GetDynamicMetadata().GetFields()["reason"].GetStringValue(); got != string(test.want) {
				t.Errorf("reason %s, want %s", got, test.want)
			}
			if got := int(response.GetDeniedResponse().GetStatus().GetCode()); got != test.want.Status() {
				t.Errorf("status %d, want %d", got, test.want.Status())
			}
			if body := response.GetDeniedResponse().GetBody(); !strings.Contains(body, test.want.Detail()) {
				t.Errorf("body %q", body)
			}
		})
	}
}
