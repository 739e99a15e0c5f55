// Package corpus loads the corpus of policy decisions: requests with the
// decision expected, one file for each behaviour. The policy itself, the Caddy
// handler and the ext_authz server all run it, and must all agree.
//
// A case names its policy, a file in the folder policies beside that of the cases. A
// short policy that no other case has may be written into the case, as config.
package corpus

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

// Case is one behaviour.
type Case struct {
	// Name is the file's name without its ending.
	Name string `json:"-"`
	// Why says what the case is about, in one sentence.
	Why string `json:"why"`
	// PolicyName names the policy; without one, Inline holds it.
	PolicyName string         `json:"policy"`
	Inline     *policy.Config `json:"config"`
	// Config is the policy, wherever it is written.
	Config policy.Config `json:"-"`
	// Instance is where to sign in. Default:
	// https://accounts.example.com/sign-in for the origin
	// https://app.example.com.
	Instance *policy.Instance `json:"instance"`
	// State is what authentication establishes.
	State State `json:"state"`
	// Request is the request. Default: GET https://app.example.com/.
	Request Request `json:"request"`
	// Times is how often the request is made; the last one counts. Default: 1.
	Times int `json:"times"`
	// Want is the decision.
	Want Want `json:"want"`
}

// State is an authentication outcome.
type State struct {
	// Status is signed_in, signed_out, handshake or unavailable. Default:
	// signed_out.
	Status    string            `json:"status"`
	Reason    policy.Reason     `json:"reason"`
	Presented bool              `json:"presented"`
	Headers   []policy.Header   `json:"headers"`
	Principal *policy.Principal `json:"principal"`
	// UpstreamToken is what Clerk makes of any template; without one,
	// UpstreamReason says why.
	UpstreamToken  string        `json:"upstream_token"`
	UpstreamReason policy.Reason `json:"upstream_reason"`
	// Assertion is what is signed about the principal.
	Assertion string `json:"assertion"`
}

// Request is what the client sends.
type Request struct {
	Method string `json:"method"`
	// Version is the major version of HTTP. Default: 1.
	Version int    `json:"version"`
	Scheme  string `json:"scheme"`
	Host    string `json:"host"`
	Target  string `json:"target"`
	// Sent is what the client sent, where a proxy rewrote it. Default: Target.
	Sent     string          `json:"sent"`
	Headers  []policy.Header `json:"headers"`
	Peer     string          `json:"peer"`
	RuleName string          `json:"rule_name"`
}

// Want is the decision expected. What is not written is not compared.
type Want struct {
	Outcome string        `json:"outcome"`
	Status  int           `json:"status"`
	Reason  policy.Reason `json:"reason"`
	Rule    string        `json:"rule"`
	// Upstream are fields the upstream receives, each exactly once; an empty
	// value means none of that name.
	Upstream map[string]string `json:"upstream"`
	// Response are fields of the response; an empty value means absent.
	Response map[string]string `json:"response"`
	// Body are texts that the body holds.
	Body []string `json:"body"`
	// GRPC is the gRPC status code.
	GRPC *uint32 `json:"grpc"`
	// Shadow is the reason that shadow mode let pass.
	Shadow policy.Reason `json:"shadow"`
}

// Now is the instant of every case.
var Now = time.Date(2026, 1, 1, 12, 0, 0, 0, time.UTC)

// Load reads the corpus in dir.
func Load(tb testing.TB, dir string) []Case {
	tb.Helper()
	cases, err := readAll(dir)
	if err != nil {
		tb.Fatal(err)
	}
	return cases
}

// readAll reads a folder of cases and that of their policies. It is an error where there
// are none, and where a policy has no case.
func readAll(dir string) ([]Case, error) {
	files, err := yamlFiles(dir)
	if err != nil {
		return nil, err
	}
	policies, err := yamlFiles(filepath.Join(filepath.Dir(dir), "policies"))
	if err != nil {
		return nil, err
	}
	cases, unused := make([]Case, len(files)), maps.Clone(policies)
	for i, name := range slices.Sorted(maps.Keys(files)) {
		if err := cases[i].read(name, files[name], policies); err != nil {
			return nil, fmt.Errorf("%s: %w", files[name], err)
		}
		delete(unused, cases[i].PolicyName)
	}
	if len(unused) > 0 {
		return nil, fmt.Errorf("no case has the policies %q", slices.Sorted(maps.Keys(unused)))
	}
	return cases, nil
}

// yamlFiles are the files of a folder by their names without ending. It holds YAML only.
func yamlFiles(dir string) (map[string]string, error) {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, err
	}
	files := map[string]string{}
	for _, entry := range entries {
		name, ok := strings.CutSuffix(entry.Name(), ".yaml")
		if !ok {
			return nil, fmt.Errorf("%s/%s: not a file of YAML", dir, entry.Name())
		}
		files[name] = filepath.Join(dir, entry.Name())
	}
	if len(files) == 0 {
		return nil, fmt.Errorf("%s: no files", dir)
	}
	return files, nil
}

// read reads a case, and its policy anew: no two cases share one.
func (c *Case) read(name, file string, policies map[string]string) error {
	if err := load(file, c); err != nil {
		return err
	}
	if c.Why == "" || c.Want.Status == 0 || c.Want.Reason == "" {
		return errors.New("why, want.status and want.reason must be there")
	}
	switch named, known := policies[c.PolicyName]; {
	case (c.PolicyName == "") == (c.Inline == nil):
		return errors.New("exactly one of policy and config must be there")
	case c.Inline != nil:
		c.Config = *c.Inline
	case !known:
		return fmt.Errorf("no policy is named %q", c.PolicyName)
	default:
		if err := load(named, &c.Config); err != nil {
			return err
		}
	}
	c.Name = name
	c.Times = max(1, c.Times)
	if c.Instance == nil {
		c.Instance = &policy.Instance{SignInURL: "https://accounts.example.com/sign-in", Origins: []string{"https://app.example.com"}}
	}
	setDefault(&c.Request.Method, "GET")
	setDefault(&c.Request.Scheme, "https")
	setDefault(&c.Request.Host, "app.example.com")
	setDefault(&c.Request.Target, "/")
	c.Request.Version = max(1, c.Request.Version)
	setDefault(&c.Request.Peer, "198.51.100.7")
	return nil
}

func load(file string, v any) error {
	data, err := os.ReadFile(file)
	if err != nil {
		return err
	}
	_, err = document.Load(file, data, v, document.Options{})
	return err
}

func setDefault(s *string, value string) {
	if *s == "" {
		*s = value
	}
}

// Policy compiles the case's policy, with its authentication outcome and a
// clock that stands still.
func (c *Case) Policy(tb testing.TB) *policy.Policy {
	tb.Helper()
	p, err := policy.New(c.Config, policy.Deps{
		Authenticator: &c.State,
		Limiter:       ratelimit.NewMemory(ratelimit.Options{}),
		Tokens:        minter{&c.State},
		Assertions:    minter{&c.State},
		Instance:      *c.Instance,
		Now:           func() time.Time { return Now },
	})
	if err != nil {
		tb.Fatalf("%s: %v", c.Name, err)
	}
	return p
}

// PolicyRequest is the request as the policy itself is asked.
func (c *Case) PolicyRequest() *policy.Request {
	r := c.Request
	return &policy.Request{Method: r.Method, Version: r.Version, Scheme: r.Scheme, Host: r.Host, Target: r.Target, OriginalTarget: r.Sent, Headers: r.Headers,
		Peer: netip.MustParseAddr(r.Peer), RuleName: r.RuleName}
}

// Authenticate returns the case's outcome.
func (s *State) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	statuses := map[string]policy.AuthStatus{"signed_in": policy.SignedIn, "handshake": policy.Handshake, "unavailable": policy.Unavailable}
	return policy.AuthState{Status: statuses[s.Status], Reason: s.Reason, Principal: s.Principal, Presented: s.Presented, Headers: s.Headers}
}

// minter makes what a case says.
type minter struct{ *State }

func (m minter) Token(context.Context, *policy.Principal, string, time.Time) (string, policy.Reason, error) {
	return m.UpstreamToken, m.UpstreamReason, nil
}

func (m minter) Assertion(*policy.Principal, time.Time) (string, error) {
	return m.State.Assertion, nil
}
