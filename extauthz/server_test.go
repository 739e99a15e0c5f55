package extauthz

//lint:file-ignore SA1019 released Envoys read the deprecated fields, so the tests look at them

import (
	"bytes"
	"context"
	"encoding/json"
	"log/slog"
	"net/netip"
	"regexp"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev3 "github.com/envoyproxy/go-control-plane/envoy/config/core/v3"
	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"github.com/google/go-cmp/cmp"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/encoding/protojson"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

func TestAServerNeedsAPolicyAndTime(t *testing.T) {
	t.Parallel()
	if _, err := New(nil, Options{}); err == nil {
		t.Error("no policy: no error")
	}
	if _, err := New(fixed(policy.Decision{}), Options{Timeout: 10 * time.Millisecond}); err == nil {
		t.Error("no time: no error")
	}
}

func TestAPanicIsACountedRefusal(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	registry := prometheus.NewRegistry()
	s := newServer(t, deciderFunc(func(context.Context, *policy.Request) policy.Decision { panic("boom") }),
		Options{Metrics: registry, Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	response, err := s.Check(t.Context(), httpCheck(nil))
	if err != nil {
		t.Fatal(err)
	}
	if passes(response) || response.GetDeniedResponse().GetStatus().GetCode() != 500 {
		t.Errorf("response %v, want a refusal with 500", response)
	}
	if strings.Contains(response.String(), "boom") {
		t.Errorf("the client learns the cause: %v", response)
	}
	if !strings.Contains(log.String(), "boom") || !strings.Contains(log.String(), `"level":"ERROR"`) {
		t.Errorf("log %s", log.String())
	}
	const want = `
# HELP clerkgate_panics_total Panics that became a refusal.
# TYPE clerkgate_panics_total counter
clerkgate_panics_total{adapter="envoy"} 1
# HELP clerkgate_decisions_in_flight Decisions being made now.
# TYPE clerkgate_decisions_in_flight gauge
clerkgate_decisions_in_flight{adapter="envoy"} 0
`
	if err := testutil.GatherAndCompare(registry, strings.NewReader(want), "clerkgate_panics_total", "clerkgate_decisions_in_flight"); err != nil {
		t.Error(err)
	}
}

func TestADecisionIsDueBeforeEnvoyGivesUp(t *testing.T) {
	t.Parallel()
	tests := []struct {
		name     string
		incoming time.Duration
		own      time.Duration
		want     time.Duration
	}{
		{"no deadline of Envoy", 0, 0, 140 * time.Millisecond},
		{"Envoy waits longer", 10 * time.Second, 0, 140 * time.Millisecond},
		{"Envoy waits less", 50 * time.Millisecond, 0, 40 * time.Millisecond},
		{"a longer time of our own", 10 * time.Second, time.Second, 990 * time.Millisecond},
		{"Envoy waits hardly at all", 5 * time.Millisecond, 0, -5 * time.Millisecond},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			synctest.Test(t, func(t *testing.T) {
				var left time.Duration
				s, err := New(deciderFunc(func(ctx context.Context, _ *policy.Request) policy.Decision {
					deadline, ok := ctx.Deadline()
					if !ok {
						t.Error("no deadline")
					}
					left = time.Until(deadline)
					<-ctx.Done()
					return policy.Decision{}
				}), Options{Timeout: test.own})
				if err != nil {
					t.Fatal(err)
				}
				ctx := t.Context()
				if test.incoming > 0 {
					var cancel context.CancelFunc
					ctx, cancel = context.WithTimeout(ctx, test.incoming)
					defer cancel()
				}
				began := time.Now()
				if _, err := s.Check(ctx, httpCheck(nil)); err != nil {
					t.Fatal(err)
				}
				if left != test.want || time.Since(began) != max(0, test.want) {
					t.Errorf("%v left, done after %v; want %v", left, time.Since(began), test.want)
				}
			})
		})
	}
}

// TestALateDecisionIsARefusal: an authenticator that hangs until the deadline
// ends in a built 503, in Envoy's time.
func TestALateDecisionIsARefusal(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		p := newPolicy(t, policy.Config{}, hanging{})
		ctx, cancel := context.WithTimeout(t.Context(), 200*time.Millisecond)
		defer cancel()
		response, err := newServer(t, p, Options{}).Check(ctx, httpCheck(nil))
		if err != nil || ctx.Err() != nil {
			t.Fatalf("error %v, Envoy's deadline %v", err, ctx.Err())
		}
		if got := response.GetDeniedResponse().GetStatus().GetCode(); got != 503 {
			t.Errorf("status %d, want 503", got)
		}
	})
}

// hanging signs in whoever has the patience.
type hanging struct{}

func (hanging) Authenticate(ctx context.Context, _ *policy.Request, _ policy.TokenTypes, _ time.Time) policy.AuthState {
	<-ctx.Done()
	return signedIn("user_1")
}

func TestAPolicyIsReplacedWhileServing(t *testing.T) {
	t.Parallel()
	s := newServer(t, fixed(policy.Decision{}), Options{})
	client := dial(t, s)
	if response, err := client.Check(t.Context(), httpCheck(nil)); err != nil || passes(response) {
		t.Fatalf("response %v, error %v", response, err)
	}
	s.SetPolicy(fixed(policy.Decision{Outcome: policy.Allow}))
	if response, err := client.Check(t.Context(), httpCheck(nil)); err != nil || !passes(response) {
		t.Fatalf("response %v, error %v", response, err)
	}
}

// TestTheMetadataOfTheCallIsNotTheClients: it describes Envoy.
func TestTheMetadataOfTheCallIsNotTheClients(t *testing.T) {
	t.Parallel()
	p := newPolicy(t, policy.Config{TrustedProxies: policy.StringList{"198.51.100.0/24"}}, bearers{"alice": signedIn("user_1")})
	ctx := metadata.AppendToOutgoingContext(t.Context(), "authorization", "Bearer alice", "x-forwarded-for", "203.0.113.9", ruleKey, "admin")
	response, err := dial(t, newServer(t, p, Options{})).Check(ctx, httpCheck(nil))
	if err != nil {
		t.Fatal(err)
	}
	fields := response.GetDynamicMetadata().GetFields()
	if passes(response) || fields["reason"].GetStringValue() != string(policy.ReasonSessionMissing) || fields["client_ip"].GetStringValue() != "198.51.100.7" {
		t.Errorf("response %v", response)
	}
}

func TestDynamicMetadataTellsWhoAndWhy(t *testing.T) {
	t.Parallel()
	principal := &policy.Principal{TokenType: policy.SessionToken, UserID: "user_1", SessionID: "sess_1", OrgID: "org_1",
		TokenDigest: "digest", Claims: map[string]any{"email": "a@example.com"}}
	tests := []struct {
		name     string
		decision policy.Decision
		want     map[string]any
	}{
		{"somebody who may pass", policy.Decision{Outcome: policy.Allow, Rule: "api", Reason: policy.ReasonAllowed, Principal: principal, Client: policy.ClientAddr{Addr: netip.MustParseAddr("2001:db8::1")}},
			map[string]any{"decision": "allow", "rule": "api", "reason": "allowed", "user_id": "user_1", "session_id": "sess_1", "org_id": "org_1", "token_type": "session_token", "client_ip": "2001:db8::1"}},
		{"nobody", policy.Decision{Reason: policy.ReasonSessionMissing, Rule: "default"}, map[string]any{"decision": "deny", "rule": "default", "reason": "session-token-and-uat-missing"}},
		{"a redirect", policy.Decision{Outcome: policy.Redirect, Reason: policy.ReasonSessionMissing}, map[string]any{"decision": "redirect", "reason": "session-token-and-uat-missing"}},
		{"shadow mode", policy.Decision{Outcome: policy.Allow, Reason: policy.ReasonShadow, Shadow: &policy.Decision{Reason: policy.ReasonRoleMissing}},
			map[string]any{"decision": "allow", "reason": "shadow", "shadow": "role-missing"}},
		{"somebody with every attribute", policy.Decision{Outcome: policy.Allow, Principal: corpus.WholePrincipal()},
			map[string]any{"decision": "allow", "user_id": "the-user", "session_id": "the-session", "org_id": "the-org", "org_slug": "the-slug", "org_role": "the-role",
				"token_type": "the-token-type", "actor": "the-actor", "machine_id": "the-machine", "client_id": "the-client"}},
		{"a machine without a session", policy.Decision{Outcome: policy.Allow, Reason: policy.ReasonAllowed, Principal: &policy.Principal{TokenType: policy.M2MToken}},
			map[string]any{"decision": "allow", "reason": "allowed", "token_type": "m2m_token"}},
		{"ids that are not UTF-8", policy.Decision{Outcome: policy.Allow, Principal: &policy.Principal{UserID: "a\xff"}}, map[string]any{"decision": "allow", "user_id": "a\uFFFD"}},
	}
	id := regexp.MustCompile(`^[0-9a-f]{16}$`)
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			response, err := newServer(t, fixed(test.decision), Options{}).Check(t.Context(), httpCheck(nil))
			if err != nil {
				t.Fatal(err)
			}
			got := response.GetDynamicMetadata().AsMap()
			if text, _ := got["decision_id"].(string); !id.MatchString(text) {
				t.Errorf("decision_id %q", text)
			}
			delete(got, "decision_id")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
			if response.GetOkResponse().GetDynamicMetadata() != nil { //nolint:staticcheck // deprecated, and it would override the outer one
				t.Error("the deprecated metadata is set")
			}
		})
	}
}

func TestRefusalsAreLoggedAtInfoAndPassesAtDebug(t *testing.T) {
	t.Parallel()
	refused := policy.Decision{Status: 403, Rule: "admin", Reason: policy.ReasonRoleMissing, Client: policy.ClientAddr{Addr: netip.MustParseAddr("198.51.100.7")},
		Principal: &policy.Principal{UserID: "user_1"}, Cause: context.Canceled}
	tests := []struct {
		name     string
		decision policy.Decision
		level    slog.Level
		want     map[string]any
	}{
		{"a refusal", refused, slog.LevelInfo, map[string]any{"level": "INFO", "msg": "request denied", "rule": "admin", "outcome": "deny", "reason": "role-missing", "status": 403.0,
			"method": "GET", "path": "/a", "client": "198.51.100.7", "cause": "context canceled",
			"principal": map[string]any{"user_id": "user_1"}}},
		{"a pass, at info", policy.Decision{Outcome: policy.Allow}, slog.LevelInfo, nil},
		{"a pass, at debug", policy.Decision{Outcome: policy.Allow, Status: 200, Reason: policy.ReasonPublic}, slog.LevelDebug,
			map[string]any{"level": "DEBUG", "msg": "request allowed", "rule": "", "outcome": "allow", "reason": "public", "status": 200.0, "method": "GET", "path": "/a"}},
		{"a pass in shadow mode", policy.Decision{Outcome: policy.Allow, Status: 200, Reason: policy.ReasonShadow, Shadow: &refused}, slog.LevelInfo,
			map[string]any{"level": "INFO", "msg": "request allowed in shadow mode", "rule": "", "outcome": "allow", "reason": "shadow", "shadow": "role-missing", "status": 200.0,
				"method": "GET", "path": "/a", "cause": "context canceled"}},
	}
	for _, test := range tests {
		t.Run(test.name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			s := newServer(t, fixed(test.decision), Options{Logger: slog.New(slog.NewJSONHandler(&log, &slog.HandlerOptions{Level: test.level}))})
			response, err := s.Check(t.Context(), httpCheck(nil))
			if err != nil {
				t.Fatal(err)
			}
			if test.want == nil {
				if log.Len() > 0 {
					t.Errorf("log %s", log.String())
				}
				return
			}
			var got map[string]any
			if err := json.Unmarshal(log.Bytes(), &got); err != nil {
				t.Fatalf("%v: %s", err, log.String())
			}
			test.want["decision_id"] = response.GetDynamicMetadata().GetFields()["decision_id"].GetStringValue()
			delete(got, "time")
			delete(got, "took")
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestALoggedPathIsBounded(t *testing.T) {
	t.Parallel()
	var log bytes.Buffer
	s := newServer(t, fixed(policy.Decision{}), Options{Logger: slog.New(slog.NewJSONHandler(&log, nil))})
	if _, err := s.Check(t.Context(), httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
		r.Path = "/" + strings.Repeat("a", 60<<10)
	})); err != nil {
		t.Fatal(err)
	}
	if log.Len() > 1024 {
		t.Errorf("a record of %d bytes", log.Len())
	}
}

// TestSecretsStayInTheRequest sends a canary wherever a credential can be, and
// looks for it in everything that leaves.
func TestSecretsStayInTheRequest(t *testing.T) {
	t.Parallel()
	const canary = "canary0123456789"
	check := httpCheck(func(_ *authv3.AttributeContext, r *authv3.AttributeContext_HttpRequest) {
		r.Path = "/a?__clerk_handshake=" + canary
		r.Headers = nil
		r.HeaderMap = &corev3.HeaderMap{Headers: []*corev3.HeaderValue{{Key: ":method", RawValue: []byte("GET")}, {Key: ":path", RawValue: []byte(r.Path)}}}
		for _, name := range []string{"authorization", "cookie", "x-user-id", "x-api-key", "proxy-authorization", "referer"} {
			r.HeaderMap.Headers = append(r.HeaderMap.Headers, &corev3.HeaderValue{Key: name, RawValue: []byte("Bearer " + canary)})
		}
	})
	state := signedIn("user_1")
	state.Principal.Claims = map[string]any{"secret": canary}
	state.Principal.TokenDigest = canary
	admin := policy.Config{Rules: []policy.Rule{{Name: "admin", Match: policy.Match{Path: policy.StringList{"/(.*)"}}, Require: &policy.Requirement{Role: policy.StringList{"org:admin"}}}}}
	deciders := map[string]Decider{
		"signed in":   newPolicy(t, policy.Config{}, bearers{canary: state}),
		"signed out":  newPolicy(t, policy.Config{}, bearers{}),
		"forbidden":   newPolicy(t, admin, bearers{canary: state}),
		"shadow mode": newPolicy(t, policy.Config{Mode: "shadow"}, bearers{}),
		"a panic":     deciderFunc(func(context.Context, *policy.Request) policy.Decision { panic("boom") }),
	}
	for name, decider := range deciders {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var log bytes.Buffer
			registry := prometheus.NewRegistry()
			s := newServer(t, decider, Options{Metrics: registry, Logger: slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelDebug}))})
			response, err := dial(t, s).Check(t.Context(), check)
			if err != nil {
				t.Fatal(err)
			}
			families, err := registry.Gather()
			if err != nil {
				t.Fatal(err)
			}
			var metrics strings.Builder
			for _, family := range families {
				metrics.WriteString(family.String())
			}
			if log.Len() == 0 || metrics.Len() == 0 || len(response.GetDynamicMetadata().GetFields()) == 0 {
				t.Fatalf("nothing to search: log %q, metrics %q, response %v", log.String(), metrics.String(), response)
			}
			for place, text := range map[string]string{"log": log.String(), "metrics": metrics.String(), "response": protojson.Format(response)} {
				if strings.Contains(text, canary) {
					t.Errorf("the %s holds it: %s", place, text)
				}
			}
		})
	}
}
