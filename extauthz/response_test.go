package extauthz

//lint:file-ignore SA1019 released Envoys read the deprecated fields, so the tests look at them

import (
	"go/ast"
	"go/parser"
	"go/token"
	"maps"
	"net/http"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"google.golang.org/grpc/codes"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/testing/protocmp"
	"google.golang.org/protobuf/types/known/wrapperspb"

	"github.com/clerkgate/clerkgate/policy"
)

func TestAPassCarriesItsEdits(t *testing.T) {
	t.Parallel()
	got := decoded(t, ok(&policy.Decision{Outcome: policy.Allow, Status: 200,
		SetHeaders:      []policy.Header{{Name: "X-User-Id", Value: "user_1"}, {Name: "X-Empty", Value: ""}},
		RemoveHeaders:   []string{"X-Org-Id", "x_user_id", "X-Org.ID"},
		ResponseHeaders: []policy.Header{{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}},
	})).GetOkResponse()
	set := func(name, value string) *corev3.HeaderValueOption {
		return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value},
			Append: wrapperspb.Bool(false), AppendAction: corev3.HeaderValueOption_OVERWRITE_IF_EXISTS_OR_ADD}
	}
	added := func(value string) *corev3.HeaderValueOption {
		return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: "set-cookie", Value: value}, Append: wrapperspb.Bool(true)}
	}
	want := &authv3.OkHttpResponse{
		Headers:              []*corev3.HeaderValueOption{set("x-user-id", "user_1"), set("x-empty", "")},
		HeadersToRemove:      []string{"x-org-id", "x_user_id", "x-org.id"},
		ResponseHeadersToAdd: []*corev3.HeaderValueOption{added("a=1"), added("b=2")},
	}
	if diff := cmp.Diff(want, got, protocmp.Transform()); diff != "" {
		t.Error(diff)
	}
}

func TestEditsMeanTheSameToEveryRelease(t *testing.T) {
	t.Parallel()
	response := decoded(t, ok(&policy.Decision{Outcome: policy.Allow,
		SetHeaders:      []policy.Header{{Name: "X-User-Id", Value: "user_1"}, {Name: "X-Org-Id", Value: "org_1"}},
		RemoveHeaders:   []string{"X-Org-Role", "X_User_Id"},
		ResponseHeaders: []policy.Header{{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}},
	}))
	sent := []policy.Header{{Name: "X-User-Id", Value: "evil"}, {Name: "X-User-Id", Value: "worse"}, {Name: "X-Org-Role", Value: "evil"},
		{Name: "X_User_Id", Value: "evil"}, {Name: "Accept", Value: "*/*"}}
	for _, release := range releases {
		want := http.Header{"X-User-Id": {"user_1"}, "X-Org-Id": {"org_1"}, "Accept": {"*/*"}}
		if diff := cmp.Diff(want, release.upstream(sent, response.GetOkResponse())); diff != "" {
			t.Errorf("%s: upstream: %s", release.name, diff)
		}
		if diff := cmp.Diff(http.Header{"Set-Cookie": {"a=1", "b=2"}}, release.client(response)); diff != "" {
			t.Errorf("%s: client: %s", release.name, diff)
		}
		refused := decoded(t, denied(&policy.Decision{ResponseHeaders: []policy.Header{{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}}}))
		if diff := cmp.Diff(http.Header{"Set-Cookie": {"a=1", "b=2"}}, release.client(refused)); diff != "" {
			t.Errorf("%s: refused: %s", release.name, diff)
		}
	}
}

// TestAHeaderIsNeverSetAndRemoved: Envoy removes after it sets.
func TestAHeaderIsNeverSetAndRemoved(t *testing.T) {
	t.Parallel()
	got := decoded(t, ok(&policy.Decision{Outcome: policy.Allow,
		SetHeaders:    []policy.Header{{Name: "X-User-ID", Value: "user_1"}},
		RemoveHeaders: []string{"x-user-id", "X-USER-ID", "x-org-id"},
	})).GetOkResponse().GetHeadersToRemove()
	if diff := cmp.Diff([]string{"x-org-id"}, got); diff != "" {
		t.Error(diff)
	}
}

// TestAValueNoHeaderCanHoldRemovesTheHeader: left alone, the client's own would
// reach the upstream; sent as it is, the response could not be marshalled, or
// Envoy would answer 500.
func TestAValueNoHeaderCanHoldRemovesTheHeader(t *testing.T) {
	t.Parallel()
	for _, value := range []string{"a\r\nX-Org-Id: b", "a\x00", "a\nb", "a\rb", "\xff\xfe", "a\x7f", "a\x1b[0m"} {
		response := decoded(t, ok(&policy.Decision{Outcome: policy.Allow,
			SetHeaders:      []policy.Header{{Name: "X-User-Id", Value: value}, {Name: "bad name", Value: "x"}},
			ResponseHeaders: []policy.Header{{Name: "Set-Cookie", Value: value}, {Name: "Set-Cookie", Value: "b=2"}, {Name: ":status", Value: "201"}},
		}))
		if _, err := proto.Marshal(response); err != nil {
			t.Errorf("%q: %v", value, err)
		}
		upstream := releases[0].upstream([]policy.Header{{Name: "X-User-Id", Value: "evil"}, {Name: "bad name", Value: "evil"}}, response.GetOkResponse())
		if len(upstream) != 0 {
			t.Errorf("%q: upstream gets %v", value, upstream)
		}
		if diff := cmp.Diff(http.Header{"Set-Cookie": {"b=2"}}, releases[0].client(response)); diff != "" {
			t.Errorf("%q: client: %s", value, diff)
		}
	}
}

func TestValuesBeyondASCIIArriveAsTheyAre(t *testing.T) {
	t.Parallel()
	got := decoded(t, ok(&policy.Decision{Outcome: policy.Allow, SetHeaders: []policy.Header{{Name: "X-Org-Slug", Value: "zürich\t東京"}}})).GetOkResponse()
	if v := values(got.GetHeaders(), "x-org-slug"); len(v) != 1 || v[0] != "zürich\t東京" {
		t.Errorf("got %q", v)
	}
}

func TestARefusalAnswersTheClient(t *testing.T) {
	t.Parallel()
	header := func(name, value string) *corev3.HeaderValueOption {
		return &corev3.HeaderValueOption{Header: &corev3.HeaderValue{Key: name, Value: value}}
	}
	tests := []struct {
		name     string
		decision policy.Decision
		code     codes.Code
		status   int
		headers  []*corev3.HeaderValueOption
		body     string
	}{
		{"the zero decision", policy.Decision{}, codes.PermissionDenied, 403, nil, ""},
		{"a refusal with a body", policy.Decision{Status: 403, Body: []byte("no\n"), ResponseHeaders: []policy.Header{{Name: "Content-Type", Value: "text/plain"}}},
			codes.PermissionDenied, 403, []*corev3.HeaderValueOption{header("content-type", "text/plain")}, "no\n"},
		{"a challenge", policy.Decision{Status: 401, ResponseHeaders: []policy.Header{{Name: "WWW-Authenticate", Value: "Bearer"}}},
			codes.Unauthenticated, 401, []*corev3.HeaderValueOption{header("www-authenticate", "Bearer")}, ""},
		{"a redirect with several cookies", policy.Decision{Outcome: policy.Redirect, Status: 307, ResponseHeaders: []policy.Header{
			{Name: "Set-Cookie", Value: "a=1"}, {Name: "Set-Cookie", Value: "b=2"}, {Name: "Location", Value: "https://accounts.example.com/"}}},
			codes.PermissionDenied, 307, []*corev3.HeaderValueOption{header("set-cookie", "a=1"), header("set-cookie", "b=2"), header("location", "https://accounts.example.com/")}, ""},
		{"a limit", policy.Decision{Status: 429}, codes.PermissionDenied, 429, nil, ""},
		{"an outage is a refusal", policy.Decision{Outcome: policy.Error, Status: 503, Reason: policy.ReasonKeysUnavailable}, codes.Unavailable, 503, nil, ""},
		{"headers that are Envoy's", policy.Decision{Status: 403, ResponseHeaders: []policy.Header{
			{Name: "Content-Length", Value: "3"}, {Name: "Transfer-Encoding", Value: "chunked"}, {Name: "Connection", Value: "close"}, {Name: ":status", Value: "200"}, {Name: "", Value: "x"}}},
			codes.PermissionDenied, 403, nil, ""},
		{"a status without a body", policy.Decision{Status: 204}, codes.PermissionDenied, 403, nil, ""},
		{"an interim status", policy.Decision{Status: 101}, codes.PermissionDenied, 403, nil, ""},
		{"a status that is none", policy.Decision{Status: 999}, codes.PermissionDenied, 403, nil, ""},
		{"a body that is not UTF-8", policy.Decision{Status: 403, Body: []byte("a\xffb")}, codes.PermissionDenied, 403, nil, "a\uFFFDb"},
		{"a gRPC caller", policy.Decision{Status: 429, GRPC: &policy.GRPCStatus{Code: 8, Message: "slow down"}},
			codes.ResourceExhausted, 429, []*corev3.HeaderValueOption{header("grpc-status", "8")}, "slow down"},
		{"a gRPC status that would be OK", policy.Decision{Status: 403, GRPC: &policy.GRPCStatus{}},
			codes.PermissionDenied, 403, []*corev3.HeaderValueOption{header("grpc-status", "7")}, ""},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response := decoded(t, denied(&test.decision))
			if got := codes.Code(response.GetStatus().GetCode()); got != test.code {
				t.Errorf("code %v, want %v", got, test.code)
			}
			got := response.GetDeniedResponse()
			if int(got.GetStatus().GetCode()) != test.status || got.GetBody() != test.body {
				t.Errorf("status %d, body %q; want %d, %q", got.GetStatus().GetCode(), got.GetBody(), test.status, test.body)
			}
			if diff := cmp.Diff(test.headers, got.GetHeaders(), protocmp.Transform()); diff != "" {
				t.Error(diff)
			}
			if _, err := proto.Marshal(response); err != nil {
				t.Error(err)
			}
		})
	}
}

// TestEveryDecisionHasAStatus walks every reason, outcome and option: a
// response passes exactly where the decision does, and always says so.
func TestEveryDecisionHasAStatus(t *testing.T) {
	t.Parallel()
	outcomes := []policy.Outcome{policy.Deny, policy.Allow, policy.Redirect, policy.Error, policy.Error + 1}
	reasons := append(policy.Reasons(), "", "unheard-of")
	for _, outage := range []bool{false, true} {
		for _, outcome := range outcomes {
			for _, reason := range reasons {
				for _, grpc := range []*policy.GRPCStatus{nil, {}, {Code: 7}, {Code: 99}} {
					d := policy.Decision{Outcome: outcome, Reason: reason, Status: reason.Status(), GRPC: grpc}
					response, err := newServer(t, fixed(d), Options{OutageAsError: outage}).Check(t.Context(), httpCheck(nil))
					if err != nil || response.GetStatus() == nil || response.GetHttpResponse() == nil {
						t.Fatalf("%v %s: response %v, error %v", outcome, reason, response, err)
					}
					if passes(response) != (outcome == policy.Allow) {
						t.Errorf("%v %s: passes: %v", outcome, reason, passes(response))
					}
					if (response.GetOkResponse() != nil) != (outcome == policy.Allow) {
						t.Errorf("%v %s: status and response contradict each other", outcome, reason)
					}
				}
			}
		}
	}
}

// TestOnlyOutagesAreErrors: a client that could bring about an error response
// would hold the door open under failure_mode_allow.
func TestOnlyOutagesAreErrors(t *testing.T) {
	t.Parallel()
	var errors []policy.Reason
	for _, reason := range policy.Reasons() {
		d := policy.Denial(reason)
		response, err := newServer(t, fixed(d), Options{OutageAsError: true}).Check(t.Context(), httpCheck(nil))
		if err != nil {
			t.Fatal(err)
		}
		if response.GetErrorResponse() != nil {
			errors = append(errors, reason)
		}
		response, err = newServer(t, fixed(d), Options{}).Check(t.Context(), httpCheck(nil))
		if err != nil || response.GetErrorResponse() != nil {
			t.Errorf("%s is an error by default", reason)
		}
	}
	want := []policy.Reason{policy.ReasonClerkUnavailable, policy.ReasonKeysUnavailable, policy.ReasonLimiterUnavailable, policy.ReasonRevocationsUnavailable}
	if diff := cmp.Diff(want, errors); diff != "" {
		t.Error(diff)
	}
}

// TestResponsesAreBuiltInOnePlace reads the source: no response is made outside
// of the three constructors, and each of them sets the status.
func TestResponsesAreBuiltInOnePlace(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	made := map[string]bool{}
	for _, file := range files {
		if strings.HasSuffix(file, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), file, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		for _, decl := range parsed.Decls {
			f, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if len(literals(f, "CheckResponse")) > 0 {
				t.Errorf("%s makes a response that is not ours", f.Name.Name)
			}
			for _, keys := range literals(f, "checkResponse") {
				made[f.Name.Name] = true
				if !slices.Contains(keys, "status") {
					t.Errorf("%s makes a CheckResponse without a status", f.Name.Name)
				}
			}
		}
	}
	if diff := cmp.Diff([]string{"denied", "failed", "ok"}, slices.Sorted(maps.Keys(made))); diff != "" {
		t.Errorf("responses are made elsewhere: %s", diff)
	}
}

// literals returns the field names of each composite literal of the type.
func literals(f *ast.FuncDecl, typeName string) [][]string {
	var found [][]string
	ast.Inspect(f, func(n ast.Node) bool {
		literal, isLiteral := n.(*ast.CompositeLit)
		if !isLiteral {
			return true
		}
		name, _ := literal.Type.(*ast.Ident)
		if selector, ok := literal.Type.(*ast.SelectorExpr); ok {
			name = selector.Sel
		}
		if name == nil || name.Name != typeName {
			return true
		}
		keys := []string{}
		for _, element := range literal.Elts {
			if pair, ok := element.(*ast.KeyValueExpr); ok {
				keys = append(keys, pair.Key.(*ast.Ident).Name)
			}
		}
		found = append(found, keys)
		return true
	})
	return found
}
