package session

import (
	"cmp"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// machineVector is a recorded decision about a request, as far as it matters to
// machine tokens.
type machineVector struct {
	ID    string
	Tags  []string
	Input struct {
		Now    int64
		Config struct {
			PublishableKey, SecretKey, MachineSecretKey, JWTKey, APIURL string

			AuthorizedParties textOrTexts
			Audience          textOrTexts
			ClockSkewInMS     *int64
			AcceptsToken      json.RawMessage
		}
		Request struct{ Headers [][2]string }
		Backend []backendAnswer `json:"backendApi"`
	}
	Expect struct {
		Status, Reason, TokenType string
		Auth                      map[string]any
		Calls                     []backendCall `json:"backendApiCalls"`
	}
}

// textOrTexts is one text or a list, which may be empty.
type textOrTexts []string

func (l *textOrTexts) UnmarshalJSON(data []byte) error {
	if data[0] == '"' {
		*l = make(textOrTexts, 1)
		return json.Unmarshal(data, &(*l)[0])
	}
	return json.Unmarshal(data, (*[]string)(l))
}

// backendAnswer is a canned answer of the Backend API.
type backendAnswer struct {
	Method, Path, BodyText string
	Status                 int
	Body                   json.RawMessage
	NetworkError           bool
}

// backendCall is a call that was made of it.
type backendCall struct {
	Method, Path, Query, Authorization string
	Body                               any
}

// cannedBackend answers as a vector says, and keeps what it was asked.
type cannedBackend struct {
	answers []backendAnswer
	mu      sync.Mutex
	calls   []backendCall
}

func (b *cannedBackend) RoundTrip(r *http.Request) (*http.Response, error) {
	call := backendCall{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), nil}
	if r.ContentLength > 0 {
		if err := json.NewDecoder(r.Body).Decode(&call.Body); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	b.calls = append(b.calls, call)
	b.mu.Unlock()
	status, body := http.StatusNotFound, `{"errors":[{"code":"resource_not_found"}]}`
	for _, a := range b.answers {
		if a.Method != r.Method || a.Path != r.URL.Path {
			continue
		}
		if a.NetworkError {
			return nil, errors.New("connection reset")
		}
		status, body = a.Status, cmp.Or(a.BodyText, string(a.Body))
		break
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// asked returns what was asked about tokens, each once.
func asked(calls []backendCall) []backendCall {
	var out []backendCall
	for _, c := range calls {
		if c.Path != "/v1/jwks" && !slices.ContainsFunc(out, func(o backendCall) bool { return reflect.DeepEqual(o, c) }) {
			out = append(out, c)
		}
	}
	return out
}

// loadMachineVectors returns the decisions about requests that present a machine
// token, or any token where machine tokens are taken.
func loadMachineVectors(t *testing.T) []machineVector {
	t.Helper()
	dir := cmp.Or(os.Getenv("CLERKGATE_VECTORS"), filepath.Join("..", "internal", "conformance", "testdata", "vectors"))
	f, err := os.Open(filepath.Join(dir, "authenticate.jsonl.gz"))
	if errors.Is(err, os.ErrNotExist) {
		t.Skip("set CLERKGATE_VECTORS to the directory of the recorded decisions")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var out []machineVector
	for d := json.NewDecoder(r); ; {
		var v machineVector
		if err := d.Decode(&v); errors.Is(err, io.EOF) {
			return out
		} else if err != nil {
			t.Fatal(err)
		}
		if v.Expect.Status == "error" {
			continue // the configuration cannot be used, which is found when it is read
		}
		token := v.token()
		if token != "" && (v.Input.Config.AcceptsToken != nil || opaqueType(token) != "" || slices.Contains(v.Tags, "machine")) {
			out = append(out, v)
		}
	}
}

func (v *machineVector) quirk() bool { return slices.Contains(v.Tags, "quirk") }

// token is what the reference reads from the Authorization fields.
func (v *machineVector) token() string {
	var values []string
	for _, h := range v.Input.Request.Headers {
		if strings.EqualFold(h[0], "Authorization") {
			values = append(values, strings.Trim(h[1], " \t"))
		}
	}
	token, _ := referenceAuthorization(strings.Join(values, ", "))
	return token
}

func (v *machineVector) accept(t *testing.T) (types policy.TokenTypes, single policy.TokenType) {
	t.Helper()
	if v.Input.Config.AcceptsToken == nil {
		return policy.TokenTypes{policy.SessionToken}, policy.SessionToken
	}
	var words textOrTexts
	if err := json.Unmarshal(v.Input.Config.AcceptsToken, &words); err != nil {
		t.Fatal(err)
	}
	for _, word := range words {
		types = append(types, policy.TokenType(word))
	}
	switch {
	case v.Input.Config.AcceptsToken[0] == '"':
		single = types[0]
	case len(types) == 1:
		types = append(types, types[0]) // so that a list of one differs from one
	}
	return types, single
}

// machines returns a judge of the vector's configuration.
func (v *machineVector) machines(t *testing.T, backend http.RoundTripper, compat bool) *machines {
	t.Helper()
	in := v.Input.Config
	client := &http.Client{Transport: backend}
	cfg := Config{
		PublishableKey: in.PublishableKey, SecretKey: in.SecretKey, MachineSecretKey: in.MachineSecretKey, JWTKey: in.JWTKey, APIURL: in.APIURL,
		AuthorizedParties: policy.StringList(in.AuthorizedParties), Audience: policy.StringList(in.Audience), ReferenceCompat: compat,
	}.trimmed()
	if in.ClockSkewInMS != nil {
		cfg.ClockSkew = new(Skew(time.Duration(*in.ClockSkewInMS) * time.Millisecond))
	}
	a := &Authenticator{config: cfg, relaxed: cfg.relaxed()}
	if key, err := ParsePublishableKey(cfg.PublishableKey); err == nil {
		a.key, a.frontendHost = key, key.Host
	}
	keys, err := a.keySet(Options{HTTPClient: client})
	if err != nil {
		keys = keyMap{}
	}
	m, err := newMachines(cfg, a.rules(), keys, client)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

// toSession marks what is left to the session verifier.
const toSession policy.Reason = "left to the session verifier"

func (v *machineVector) decide(t *testing.T, compat bool) (policy.AuthState, []backendCall) {
	t.Helper()
	backend := &cannedBackend{answers: v.Input.Backend}
	accept, _ := v.accept(t)
	state := v.machines(t, backend, compat).bearer(t.Context(), v.token(), accept, time.UnixMilli(v.Input.Now),
		func(context.Context, string, time.Time) policy.AuthState { return policy.AuthState{Reason: toSession} })
	return state, backend.calls
}

// differs says how a decision differs from the recorded one, or "".
func (v *machineVector) differs(t *testing.T, got policy.AuthState, calls []backendCall) string {
	t.Helper()
	_, single := v.accept(t)
	kind := policy.TokenType("")
	token := v.token()
	switch {
	case got.Reason == toSession:
		if v.Expect.TokenType == string(policy.SessionToken) || refusedAsNoSession(token) && v.Expect.Reason == string(policy.ReasonTokenType) {
			return ""
		}
		return "left to the session verifier"
	case got.Principal != nil:
		kind = got.Principal.TokenType
	case got.Reason == policy.ReasonTokenType:
		kind = single
		if single == policy.AnyToken {
			kind = policy.SessionToken
		}
	case opaqueType(token) != "":
		kind = opaqueType(token)
	default:
		if decoded, err := decodeToken(token, reference, nil); err == nil {
			kind = decoded.machineType()
		}
	}
	status := map[policy.AuthStatus]string{policy.SignedIn: "signed-in", policy.SignedOut: "signed-out"}[got.Status]
	switch {
	case status != v.Expect.Status || string(got.Reason) != v.Expect.Reason:
		return status + " for " + string(got.Reason)
	case string(kind) != v.Expect.TokenType:
		return "a token of type " + string(kind)
	case !reflect.DeepEqual(asked(calls), asked(v.Expect.Calls)):
		return "other calls"
	case got.Principal != nil:
		return v.principalDiffers(got.Principal)
	}
	return ""
}

// refusedAsNoSession reports whether the session verifier refuses a token for
// its type.
func refusedAsNoSession(token string) bool {
	t, err := decodeToken(token, reference, nil)
	return err == nil && !t.isSession()
}

// principalDiffers compares all of the auth object but the name of an API key,
// which a principal does not have.
func (v *machineVector) principalDiffers(p *policy.Principal) string {
	for name, got := range map[string]any{
		"id": p.CredentialID, "userId": p.UserID, "orgId": p.OrgID, "machineId": p.MachineID, "clientId": p.ClientID,
		"scopes": p.Scopes, "claims": p.Claims,
	} {
		want, present := v.Expect.Auth[name]
		if !present {
			continue
		}
		data, err := json.Marshal(got)
		if err != nil {
			return err.Error()
		}
		var back any
		if err := json.Unmarshal(data, &back); err != nil {
			return err.Error()
		}
		if want == nil && back == "" {
			continue
		}
		if !reflect.DeepEqual(back, want) {
			return "another " + name
		}
	}
	return ""
}

func TestMachineTokensAreJudgedAsByTheReference(t *testing.T) {
	t.Parallel()
	agree, quirks := 0, 0
	vectors := loadMachineVectors(t)
	for _, v := range vectors {
		got, calls := v.decide(t, true)
		switch diff := v.differs(t, got, calls); {
		case diff == "":
			agree++
		case v.quirk() && got.Status != policy.SignedIn:
			quirks++
		default:
			t.Errorf("%s: %s (%v); want %s for %s, type %s, calls %v after %v", v.ID, diff, got.Cause, v.Expect.Status, v.Expect.Reason, v.Expect.TokenType, v.Expect.Calls, calls)
		}
	}
	t.Logf("%d of %d agree, %d more refuse where the reference is accidental", agree, len(vectors), quirks)
}

func TestMachineTokensAreNeverTakenWhereTheReferenceRefuses(t *testing.T) {
	t.Parallel()
	taken := 0
	for _, v := range loadMachineVectors(t) {
		got, _ := v.decide(t, false)
		machine := v.Expect.Status == "signed-in" && v.Expect.TokenType != string(policy.SessionToken)
		switch {
		case got.Status == policy.SignedIn && !machine:
			t.Errorf("%s: signed in; want %s for %s", v.ID, v.Expect.Status, v.Expect.Reason)
		case got.Status == policy.SignedIn:
			taken++
			if got.Principal.UserID != "" && got.Principal.UserID != v.Expect.Auth["userId"] {
				t.Errorf("%s: another user", v.ID)
			}
		case machine && !v.quirk() && !strings.Contains(v.ID, "-subject"): // a user's token for an organization, say
			t.Errorf("%s: refused for %s (%v)", v.ID, got.Reason, got.Cause)
		}
	}
	t.Logf("%d taken", taken)
}
