package session

import (
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/browser"
	"github.com/clerkgate/clerkgate/session/internal/jwttest"
	"github.com/clerkgate/clerkgate/session/internal/machine"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
	"github.com/clerkgate/clerkgate/session/jwt"
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
			ClockSkewInMS     *float64
			AcceptsToken      json.RawMessage
		}
		Request struct{ Headers [][2]string }
		Backend []sessiontest.Answer `json:"backendApi"`
	}
	Expect struct {
		Status, Reason, TokenType string
		Auth                      map[string]any
		Calls                     []sessiontest.Call `json:"backendApiCalls"`
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

// loadMachineVectors returns the decisions about requests that present a machine
// token, or any token where machine tokens are taken.
func loadMachineVectors(t *testing.T) []machineVector {
	t.Helper()
	dir := cmp.Or(os.Getenv("CLERKGATE_VECTORS"), filepath.Join("..", "internal", "conformance", "testdata", "vectors"))
	f, err := os.Open(filepath.Join(dir, "authenticate.jsonl"))
	packed := errors.Is(err, os.ErrNotExist)
	if packed {
		f, err = os.Open(filepath.Join(dir, "authenticate.jsonl.gz"))
	}
	if errors.Is(err, os.ErrNotExist) && os.Getenv("CLERKGATE_FULL") != "1" {
		t.Skip("set CLERKGATE_VECTORS to the directory of the recorded decisions")
	}
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	r := io.Reader(f)
	if packed {
		if r, err = gzip.NewReader(f); err != nil {
			t.Fatal(err)
		}
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
		if token != "" && (v.Input.Config.AcceptsToken != nil || opaqueTypeOf(token) != "" || slices.Contains(v.Tags, "machine")) {
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
	reference, err := browser.New(browser.Options{ReferenceCompat: true})
	if err != nil {
		panic(err)
	}
	return reference.Visit(&policy.Request{Headers: sessiontest.Fields("Authorization", strings.Join(values, ", "))}, now).Token
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
func (v *machineVector) machines(t *testing.T, backend http.RoundTripper, reference bool) *machine.Authenticator {
	t.Helper()
	in := v.Input.Config
	client := &http.Client{Transport: backend}
	cfg := Config{
		PublishableKey: in.PublishableKey, SecretKey: in.SecretKey, MachineSecretKey: in.MachineSecretKey, JWTKey: in.JWTKey, APIURL: in.APIURL,
		AuthorizedParties: policy.StringList(in.AuthorizedParties), Audience: policy.StringList(in.Audience), ReferenceCompat: reference,
	}.trimmed()
	if in.ClockSkewInMS != nil {
		cfg.ClockSkew = new(Skew(*in.ClockSkewInMS * float64(time.Millisecond)))
	}
	a := &Authenticator{config: cfg, relaxed: cfg.relaxed()}
	if key, err := ParsePublishableKey(cfg.PublishableKey); err == nil {
		a.key, a.frontendHost = key, key.Host
	}
	keys, err := a.keySet(Options{HTTPClient: client, Now: func() time.Time { return time.UnixMilli(v.Input.Now) }})
	if err != nil {
		keys = jwttest.BrokenKeys{Err: jwt.ErrUnknownKey}
	}
	m, err := a.newMachines(keys, client)
	if err != nil {
		t.Fatal(err)
	}
	return m
}
