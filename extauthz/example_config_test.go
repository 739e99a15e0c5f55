package extauthz

import (
	"encoding/json"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"strings"
	"testing"
	"time"

	bootstrapv3 "github.com/envoyproxy/go-control-plane/envoy/config/bootstrap/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/access_loggers/stream/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/ext_authz/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/http/router/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/filters/network/http_connection_manager/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/http/early_header_mutation/header_mutation/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/retry/host/previous_hosts/v3"
	_ "github.com/envoyproxy/go-control-plane/envoy/extensions/upstreams/http/v3"
	"go.yaml.in/yaml/v3"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/types/known/anypb"

	"github.com/clerkgate/clerkgate/internal/testenvoy"
	"github.com/clerkgate/clerkgate/policy"
)

const exampleFile = "../envoy.yaml.example"

func exampleBootstrap(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(exampleFile)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// Every field of the example exists and holds what it may, also inside typed
// configurations.
func TestTheExampleIsAValidBootstrap(t *testing.T) {
	t.Parallel()
	var document any
	if err := yaml.Unmarshal([]byte(exampleBootstrap(t)), &document); err != nil {
		t.Fatal(err)
	}
	text, err := json.Marshal(document)
	if err != nil {
		t.Fatal(err)
	}
	var bootstrap bootstrapv3.Bootstrap
	if err := protojson.Unmarshal(text, &bootstrap); err != nil {
		t.Fatal(err)
	}
	if n := validateAll(t, bootstrap.ProtoReflect()); n < 50 {
		t.Errorf("only %d messages were looked at", n)
	}
	misspelt := strings.Replace(string(text), "failure_mode_allow", "failure_mode_alow", 1)
	if err := protojson.Unmarshal([]byte(misspelt), &bootstrapv3.Bootstrap{}); err == nil {
		t.Error("a misspelt field passes")
	}
}

// validateAll runs the generated rules on a message and all below it, and
// returns how many it looked at.
func validateAll(t *testing.T, m protoreflect.Message) int {
	t.Helper()
	n := 1
	if v, ok := m.Interface().(interface{ ValidateAll() error }); ok {
		if err := v.ValidateAll(); err != nil {
			t.Error(err)
		}
	}
	if packed, ok := m.Interface().(*anypb.Any); ok {
		inner, err := packed.UnmarshalNew()
		if err != nil {
			t.Fatal(err)
		}
		return n + validateAll(t, inner.ProtoReflect())
	}
	m.Range(func(field protoreflect.FieldDescriptor, value protoreflect.Value) bool {
		switch {
		case field.IsMap() && field.MapValue().Message() != nil:
			value.Map().Range(func(_ protoreflect.MapKey, v protoreflect.Value) bool { n += validateAll(t, v.Message()); return true })
		case field.IsList() && field.Message() != nil:
			for i := range value.List().Len() {
				n += validateAll(t, value.List().Get(i).Message())
			}
		case !field.IsMap() && !field.IsList() && field.Message() != nil:
			n += validateAll(t, value.Message())
		}
		return true
	})
	return n
}

// The example runs in a real Envoy as it stands, with nothing but addresses
// changed.
func TestTheExampleRunsInEnvoy(t *testing.T) {
	t.Parallel()
	testenvoy.Binary(t)
	open := policy.Config{Rules: []policy.Rule{{Name: "home", Match: policy.Match{Path: policy.StringList{"/"}}, Access: policy.Public}}}
	authz := listenTCP(t)
	serve(t, authz, newServer(t, newPolicy(t, open, bearers{}), Options{Timeout: 10 * time.Second}), ServeOptions{})
	seen := &upstream{}
	app := httptest.NewServer(seen)
	t.Cleanup(app.Close)
	bootstrap := exampleBootstrap(t)
	for from, to := range map[string]net.Addr{"10000": nil, "9901": nil, "9000": authz.Addr(), "3000": app.Listener.Addr()} {
		port := "0"
		if to != nil {
			_, port, _ = net.SplitHostPort(to.String())
		}
		if strings.Count(bootstrap, "port_value: "+from) != 1 {
			t.Fatalf("the example has port %s %d times", from, strings.Count(bootstrap, "port_value: "+from))
		}
		bootstrap = strings.Replace(bootstrap, "port_value: "+from, "port_value: "+port, 1)
	}
	// A busy machine changes nothing: neither the time of a check, nor that of one try.
	bootstrap = strings.NewReplacer("timeout: 0.5s", "timeout: 10s", "max_interval: 0.2s", "max_interval: 10s").Replace(bootstrap)
	edge := testenvoy.Start(t, bootstrap)
	for _, c := range []struct {
		host, path string
		header     [2]string
		status     int
	}{
		{"app.example.com", "/", [2]string{"X-User-Id", "user_forged"}, http.StatusOK},
		{"app.example.com:8443", "/", [2]string{"X-Original-Url", "/admin"}, http.StatusOK},
		{"app.example.com", "/dashboard", [2]string{"Accept", "application/json"}, http.StatusUnauthorized},
		{"app.example.com", "/a%2fb", [2]string{"Accept", "*/*"}, http.StatusBadRequest},
		{"app.example.com", "/", [2]string{"X_User_Id", "user_forged"}, http.StatusBadRequest},
		{"app.example.com", "/", [2]string{"X-Envoy-Original-Path", "/admin"}, http.StatusOK},
		{"other.example.com", "/", [2]string{"Accept", "*/*"}, http.StatusMisdirectedRequest},
	} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, "http://"+edge.Listener(t, "ingress")+"/", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host, r.URL.Opaque = c.host, c.path
		r.Header[c.header[0]] = []string{c.header[1]}
		response, err := http.DefaultTransport.RoundTrip(r)
		if err != nil {
			t.Fatal(err)
		}
		response.Body.Close()
		if response.StatusCode != c.status {
			t.Errorf("%s%s with %s: %d, want %d", c.host, c.path, c.header[0], response.StatusCode, c.status)
		}
		taken := seen.take()
		if c.status == http.StatusOK && (len(taken) != 1 || taken[0].Header.Get(c.header[0]) != "") {
			t.Errorf("%s: the app saw %d requests, with %q", c.header[0], len(taken), c.header[0])
		}
		if c.status != http.StatusOK && len(taken) > 0 {
			t.Errorf("%s%s reached the app", c.host, c.path)
		}
	}
	edge.AccessLog(t, `"reason":"session-token-and-uat-missing"`)
}
