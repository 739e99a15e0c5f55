package policy

import (
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strings"
	"time"
)

// UpstreamToken is a token of another kind that the upstream receives for the
// user, made by Clerk from a JWT template for the session of the request.
type UpstreamToken struct {
	// Template is the name of the JWT template.
	Template string `json:"template"`
	// Header carries the token. Default: Authorization, as "Bearer <token>".
	Header string `json:"header,omitempty" document:"nonempty"`
}

// Assertion is a short-lived JSON Web Token about the principal, signed by this
// process: an upstream that verifies it need not trust the network in between.
type Assertion struct {
	// Header carries the assertion. Default: X-Clerkgate-Assertion.
	Header string `json:"header,omitempty" document:"nonempty"`
	// Issuer is claim iss. Default: clerkgate.
	Issuer string `json:"issuer,omitempty" document:"nonempty"`
	// Audience is claim aud: for whom the assertion is meant. Default: none.
	Audience StringList `json:"audience,omitempty" document:"nonempty"`
	// Lifetime is how long an assertion counts, from 10s to 1h, and never longer
	// than the credential it speaks of. Default: 60s.
	Lifetime Duration `json:"lifetime,omitempty" document:"nonempty"`
	// Algorithm is EdDSA (with Ed25519) or ES256. Default: that of the key.
	Algorithm string `json:"algorithm,omitempty" document:"nonempty"`
	// Key is the signing key in PEM form (PKCS#8). Keys that follow it in the
	// same text, private or public, are published beside it and sign nothing,
	// so that keys can be changed without a gap. Default: a key of this process,
	// made at its start.
	Key string `json:"key,omitempty" document:"file"`
}

// The signature algorithms of assertions (RFC 7518 § 3.1, RFC 8037 § 3.1).
const (
	EdDSA = "EdDSA"
	ES256 = "ES256"
)

const (
	defaultAssertionHeader = "X-Clerkgate-Assertion"
	authorizationHeader    = "Authorization"

	shortestAssertion = 10 * time.Second
	longestAssertion  = time.Hour
)

// templateName is the form of the names that go into addresses of the Backend
// API.
var templateName = regexp.MustCompile(`^[A-Za-z0-9_-][A-Za-z0-9_.-]{0,127}$`)

// upstreamCompiler compiles what upstreams receive in place of the user's
// credentials.
type upstreamCompiler struct {
	headers *headerRules
	tokens  []string // canonical names of headers that carry tokens
	errs    []error
}

func (c *upstreamCompiler) errorf(path, suggestion, format string, args ...any) {
	c.errs = append(c.errs, &ConfigError{Path: path, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

// compileUpstream sets what the rules, which are compiled otherwise, let the
// upstream receive.
func (p *Policy) compileUpstream(config *Config, a Available) []error {
	c := &upstreamCompiler{headers: p.headers}
	p.strip = config.StripCredentials
	p.fallback.token, p.fallback.strip = c.token("upstream_token", config.UpstreamToken), p.strip
	for i, r := range p.rules {
		path := fmt.Sprintf("rules[%d]", i)
		own := &config.Rules[i]
		r.token, r.strip = p.fallback.token, p.strip
		if own.UpstreamToken != nil {
			r.token = c.token(path+".upstream_token", own.UpstreamToken)
		}
		if own.StripCredentials != nil {
			r.strip = *own.StripCredentials
		}
		if own.UpstreamToken != nil && (r.access == Bypass || r.access == DenyAccess) {
			c.errorf(path+".upstream_token", "remove it, or make the rule public", "a rule with access %q has no principal to issue an upstream token for", r.access)
		}
	}
	p.assertionHeader = c.assertion(config.Assertion)
	if len(c.tokens) > 0 && !a.Tokens {
		c.errorf(c.tokenPath(config), "set clerk.secret_key so that Clerk can be asked", "upstream tokens require Clerk's Backend API")
	}
	if config.Assertion != nil && !a.Assertions {
		c.errorf("assertion", "", "there is no signer for assertions")
	}
	return c.errs
}

// tokenPath is where the first token is asked for.
func (c *upstreamCompiler) tokenPath(config *Config) string {
	if config.UpstreamToken != nil {
		return "upstream_token"
	}
	i := slices.IndexFunc(config.Rules, func(r Rule) bool { return r.UpstreamToken != nil })
	return fmt.Sprintf("rules[%d].upstream_token", i)
}

// token compiles one upstream_token; nil for none.
func (c *upstreamCompiler) token(path string, config *UpstreamToken) *UpstreamToken {
	if config == nil {
		return nil
	}
	if !templateName.MatchString(config.Template) {
		c.errorf(path+".template", "write the name of a JWT template of the instance, such as hasura", "%q is not the name of a JWT template", config.Template)
	}
	token := &UpstreamToken{Template: config.Template, Header: http.CanonicalHeaderKey(config.Header)}
	switch {
	case token.Header == "":
		token.Header = authorizationHeader
	case token.Header == authorizationHeader || slices.Contains(c.tokens, token.Header):
	default:
		c.own(path+".header", token.Header)
	}
	c.tokens = append(c.tokens, token.Header)
	return token
}

// assertion compiles what of an assertion is no business of its signer, and
// returns the name of its header; "" for none.
func (c *upstreamCompiler) assertion(config *Assertion) string {
	if config == nil {
		return ""
	}
	if lifetime := config.Lifetime.Std(); lifetime != 0 && (lifetime < shortestAssertion || lifetime > longestAssertion) {
		c.errorf("assertion.lifetime", "write 10s to 1h", "the lifetime %s is out of range", lifetime)
	}
	if known := []string{"", EdDSA, ES256}; !slices.Contains(known, config.Algorithm) {
		c.errorf("assertion.algorithm", didYouMean(config.Algorithm, EdDSA, ES256), "unknown algorithm %q", config.Algorithm)
	}
	header := defaultAssertionHeader
	if config.Header != "" {
		header = http.CanonicalHeaderKey(config.Header)
	}
	c.own("assertion.header", header)
	return header
}

// own makes a header one that clients may not send.
func (c *upstreamCompiler) own(path, name string) {
	folded := foldName(name)
	switch {
	case !validHeaderName(name):
		c.errorf(path, "write letters, digits and dashes, such as X-Hasura-Token", "%q is not a header name", name)
	case reservedHeader(folded):
		c.errorf(path, "", "%q has a meaning of its own in HTTP and cannot carry a token", name)
	case c.headers.settable[folded]:
		c.errorf(path, "", "%q is already used for something else", name)
	default:
		c.headers.own(name, folded)
	}
}

// own adds a header that is set for some requests, and removed from all others.
func (rules *headerRules) own(name, folded string) {
	rules.dropped[folded], rules.settable[folded] = true, true
	rules.first[folded[0]] |= lengthBit(folded)
	rules.issued = append(rules.issued, name)
	rules.names = slices.Clip(append(rules.names, name))
}

// bearer is a token as its header has it.
func (t *UpstreamToken) bearer(text string) Header {
	if t.Header == authorizationHeader {
		text = "Bearer " + text
	}
	return Header{t.Header, text}
}

// isTokenText reports whether text can be a JSON Web Token, and so nothing but
// one field value: letters, digits, "-", "_" and ".".
func isTokenText(text string) bool {
	return text != "" && strings.IndexFunc(text, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && r != '-' && r != '_' && r != '.'
	}) < 0
}
