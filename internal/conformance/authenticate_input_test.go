package conformance

import (
	"encoding/json"
	"iter"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// authInput is a request as it arrives at the edge, under a configuration.
type authInput struct {
	Now     int64           `json:"now"`
	Config  authConfig      `json:"config"`
	Request authRequest     `json:"request"`
	Backend []backendAnswer `json:"backendApi"`
}

// authConfig are the options, by the reference's names.
type authConfig struct {
	PublishableKey    string      `json:"publishableKey,omitempty"`
	SecretKey         string      `json:"secretKey,omitempty"`
	MachineSecretKey  string      `json:"machineSecretKey,omitempty"`
	JWTKey            string      `json:"jwtKey,omitempty"`
	APIURL            string      `json:"apiUrl,omitempty"`
	AuthorizedParties textOrTexts `json:"authorizedParties,omitempty"`
	Audience          textOrTexts `json:"audience,omitempty"`
	Issuer            textOrTexts `json:"issuer,omitempty"`
	ClockSkew         *float64    `json:"clockSkewInMs,omitempty"`
	Domain            string      `json:"domain,omitempty"`
	Satellite         bool        `json:"isSatellite,omitempty"`
	ProxyURL          string      `json:"proxyUrl,omitempty"`
	SignInURL         string      `json:"signInUrl,omitempty"`
	SignUpURL         string      `json:"signUpUrl,omitempty"`
	AutoSync          bool        `json:"satelliteAutoSync,omitempty"`
	OrganizationSync  *struct {
		Organization textOrTexts `json:"organizationPatterns,omitempty"`
		Personal     textOrTexts `json:"personalAccountPatterns,omitempty"`
	} `json:"organizationSyncOptions,omitempty"`
	Accepts json.RawMessage `json:"acceptsToken,omitempty"`
}

type authRequest struct {
	Method  string      `json:"method"`
	URL     string      `json:"url"`
	Headers [][2]string `json:"headers"`
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

// config is the configuration in our words.
func (c *authConfig) config(reference bool) session.Config {
	config := session.Config{
		PublishableKey: c.PublishableKey, SecretKey: c.SecretKey, MachineSecretKey: c.MachineSecretKey, JWTKey: c.JWTKey,
		APIURL: c.APIURL, AuthorizedParties: policy.StringList(c.AuthorizedParties), Audience: policy.StringList(c.Audience), Issuer: policy.StringList(c.Issuer),
		Domain: c.Domain, Satellite: c.Satellite, SatelliteAutoSync: c.AutoSync, ProxyURL: c.ProxyURL,
		SignInURL: c.SignInURL, SignUpURL: c.SignUpURL, ReferenceCompat: reference,
	}
	if c.ClockSkew != nil {
		config.ClockSkew = new(session.Skew(*c.ClockSkew * float64(time.Millisecond)))
	}
	if o := c.OrganizationSync; o != nil {
		config.OrganizationSync = &session.OrganizationSync{Organization: policy.StringList(o.Organization), Personal: policy.StringList(o.Personal)}
	}
	return config
}

// accept is what the vector accepts. One type and a list of that one type are
// two things to the reference and one to us, which a repeated entry tells apart.
func (c *authConfig) accept(t *testing.T) policy.TokenTypes {
	t.Helper()
	if c.Accepts == nil || string(c.Accepts) == "null" {
		return policy.TokenTypes{policy.SessionToken}
	}
	var words textOrTexts
	if err := json.Unmarshal(c.Accepts, &words); err != nil {
		t.Fatal(err)
	}
	types := make(policy.TokenTypes, len(words))
	for i, word := range words {
		types[i] = policy.TokenType(word)
	}
	if len(types) == 1 && c.Accepts[0] == '[' {
		types = append(types, types[0])
	}
	return types
}

// request makes the facts of a proxy from the request. Where the Host field and
// the URL disagree, the target is in absolute-form.
func (r *authRequest) request() *policy.Request {
	scheme, rest, _ := strings.Cut(r.URL, "://")
	rest, _, _ = strings.Cut(rest, "#")
	authority, target := rest, ""
	if at := strings.IndexAny(rest, `/\?`); at >= 0 {
		authority, target = rest[:at], rest[at:]
	}
	out := &policy.Request{Method: r.Method, Scheme: scheme, Host: authority, Target: target}
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], "Host") {
			out.Host = strings.Trim(h[1], " \t")
			continue
		}
		out.Headers = append(out.Headers, policy.Header{Name: h[0], Value: strings.Trim(h[1], " \t")})
	}
	switch {
	case out.Host != authority:
		out.Target = scheme + "://" + rest
	case !strings.HasPrefix(target, "/") && !strings.HasPrefix(target, `\`):
		out.Target = "/" + target
	}
	return out
}

// field returns a header field, its lines joined.
func (r *authRequest) field(name string) string {
	var values []string
	for _, h := range r.Headers {
		if strings.EqualFold(h[0], name) {
			values = append(values, strings.Trim(h[1], " \t"))
		}
	}
	separator := ", "
	if strings.EqualFold(name, "Cookie") {
		separator = "; "
	}
	return strings.Join(values, separator)
}

// cookies are the request's cookies, in order.
func (r *authRequest) cookies() iter.Seq2[string, string] {
	return func(yield func(string, string) bool) {
		for piece := range strings.SplitSeq(r.field("Cookie"), ";") {
			name, value, _ := strings.Cut(piece, "=")
			if !yield(strings.Trim(name, " \t"), strings.Trim(value, " \t")) {
				return
			}
		}
	}
}

// cookie returns the first cookie of a name, or "".
func (r *authRequest) cookie(name string) string {
	for n, value := range r.cookies() {
		if n == name {
			return value
		}
	}
	return ""
}

// authenticator makes an authenticator with nothing cached.
func (in *authInput) authenticator(backend http.RoundTripper, reference bool) (*session.Authenticator, error) {
	now := time.UnixMilli(in.Now)
	return session.New(in.Config.config(reference), session.Options{
		HTTPClient: &http.Client{Transport: backend},
		Now:        func() time.Time { return now },
	})
}
