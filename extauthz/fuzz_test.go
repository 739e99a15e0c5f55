package extauthz

import (
	"context"
	"net/netip"
	"strings"
	"testing"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/proto"

	"github.com/clerkgate/clerkgate/policy"
)

// FuzzCheckRequest holds for any bytes that Envoy's protobuf reader would take:
// no panic, a status on every response, a response that can be sent, a pass
// only where the policy itself lets pass, and no owned header upstream but ours.
func FuzzCheckRequest(f *testing.F) {
	p := newPolicy(f, policy.Config{Rules: []policy.Rule{
		{Name: "public", Match: policy.Match{Path: policy.StringList{"/", "/public(.*)"}}, Access: policy.Public},
		{Name: "admin", Match: policy.Match{Path: policy.StringList{"/admin(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:member"}}},
		{Name: "assets", Match: policy.Match{Path: policy.StringList{"/static/(.*)"}}, Access: policy.Bypass},
		{Name: "closed", Match: policy.Match{Path: policy.StringList{"/closed(.*)"}}, Access: policy.DenyAccess},
	}}, bearers{"alice": signedIn("user_1")})
	seed(f)
	f.Fuzz(func(t *testing.T, data []byte) {
		var check authv3.CheckRequest
		if proto.Unmarshal(data, &check) != nil {
			return
		}
		var asked *policy.Request
		var decided policy.Decision
		s := newServer(t, deciderFunc(func(ctx context.Context, r *policy.Request) policy.Decision {
			asked, decided = r, p.Decide(ctx, r)
			return decided
		}), Options{})
		response, err := s.Check(t.Context(), &check)
		if err != nil || response.GetStatus() == nil {
			t.Fatalf("response %v, error %v", response, err)
		}
		if _, err := proto.Marshal(response); err != nil {
			t.Fatalf("the response cannot be sent: %v", err)
		}
		if !passes(response) {
			return
		}
		http := check.GetAttributes().GetRequest().GetHttp()
		if asked == nil || !decided.Allowed() || asked.Target != http.GetPath() || asked.Method != http.GetMethod() || asked.Host != http.GetHost() {
			t.Fatalf("it may pass, but the policy decided %v on %+v", decided, asked)
		}
		if again := p.Decide(t.Context(), asked); !again.Allowed() {
			t.Fatalf("asked again, the policy refuses: %s", again.Reason)
		}
		checkUpstream(t, asked, &decided, response)
	})
}

// checkUpstream looks at what the upstream gets of the fields the client sent.
func checkUpstream(t *testing.T, asked *policy.Request, decided *policy.Decision, response *authv3.CheckResponse) {
	t.Helper()
	ours := map[string]string{}
	for _, h := range decided.SetHeaders {
		ours[strings.ToLower(h.Name)] = h.Value
	}
	for _, release := range releases {
		for name, values := range release.upstream(asked.Headers, response.GetOkResponse()) {
			folded := fold(name)
			if !strings.HasPrefix(folded, "x-user-") && !strings.HasPrefix(folded, "x-org-") && folded != "x-original-url" {
				continue
			}
			if want, ok := ours[strings.ToLower(name)]; ok && len(values) == 1 && values[0] == want {
				continue
			}
			if folded == "x-user-id" || folded == "x-org-id" || folded == "x-original-url" {
				t.Fatalf("%s: the upstream gets %s: %q", release.name, name, values)
			}
		}
	}
}

// fold maps a name to the form in which upstreams confuse it with others.
func fold(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'a' && r <= 'z' || r >= '0' && r <= '9' {
			return r
		}
		return '-'
	}, strings.ToLower(name))
}

func seed(f *testing.F) {
	f.Helper()
	add := func(check *authv3.CheckRequest) {
		data, err := proto.Marshal(check)
		if err != nil {
			f.Fatal(err)
		}
		f.Add(data)
	}
	add(&authv3.CheckRequest{})
	add(&authv3.CheckRequest{Attributes: &authv3.AttributeContext{}})
	for _, target := range []string{"/", "/admin", "//admin", "/public/../admin", "/static/x%2f..%2fadmin", "", "/admin;x", "http://app.example.com/admin"} {
		for _, encode := range encodings {
			add(checkOf(&policy.Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: target, Peer: netip.MustParseAddr("198.51.100.7"), RuleName: "admin",
				Headers: []policy.Header{{Name: "Authorization", Value: "Bearer alice"}, {Name: "X-User-Id", Value: "evil"}, {Name: "x_user_id", Value: "evil"},
					{Name: "x.org.id", Value: "evil"}, {Name: "X-Original-URL", Value: "/admin"}, {Name: "Connection", Value: "close"}}}, encode))
		}
	}
}
