package session

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/redact"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// Config is the clerk section of the configuration document: the instance, its
// keys, and how strictly its tokens are read.
type Config struct {
	// PublishableKey is the instance's publishable key (pk_live_... or
	// pk_test_...). It names the Frontend API, and so the issuer of tokens.
	PublishableKey string `json:"publishable_key"`
	// SecretKey is the instance's secret key (sk_...), for calls to Clerk's
	// Backend API. Optional: without it the public keys come from the Frontend
	// API, and what needs the Backend API does not work.
	SecretKey string `json:"secret_key,omitempty" document:"file"`
	// JWTKey is the instance's public key in PEM form. With it no key is ever
	// fetched.
	JWTKey string `json:"jwt_key,omitempty" document:"file"`
	// AuthorizedParties are the origins whose tokens are accepted (claim azp):
	// https://app.example.com. Default: all origins of the instance.
	AuthorizedParties policy.StringList `json:"authorized_parties,omitempty"`
	// Issuer are the values one of which claim iss must equal. Default: the
	// Frontend API of the instance.
	Issuer policy.StringList `json:"issuer,omitempty"`
	// Audience are the values one of which claim aud must contain, where a token has
	// that claim. Default: not checked.
	Audience policy.StringList `json:"audience,omitempty"`
	// ClockSkew is how far the clock may differ from Clerk's, up to 5m.
	// Default: 5s.
	ClockSkew *Skew `json:"clock_skew,omitempty"`
	// SignInURL is where visitors sign in: a path of this site, or an absolute
	// URL. Default: the instance's Account Portal.
	SignInURL string `json:"sign_in_url,omitempty"`
	// SignUpURL is where visitors sign up, in the same form.
	SignUpURL string `json:"sign_up_url,omitempty"`
	// WebhookSecret is the signing secret of the webhook endpoint (whsec_...).
	WebhookSecret string `json:"webhook_secret,omitempty" document:"file"`
	// ProxyURL is where this site proxies the Frontend API: an absolute URL, or
	// a path of this site. Default: it does not.
	ProxyURL string `json:"proxy_url,omitempty"`
	// Domain is the host name of a satellite application, without scheme.
	Domain string `json:"domain,omitempty"`
	// Satellite says that sign-in happens at another, primary domain.
	Satellite bool `json:"satellite,omitempty"`
	// SatelliteAutoSync redirects browsers to the primary domain on their first visit,
	// without a sign-in.
	SatelliteAutoSync bool `json:"satellite_auto_sync,omitempty"`
	// OrganizationSync activates the organization that a path names.
	OrganizationSync *OrganizationSync `json:"organization_sync,omitempty"`
	// MachineSecretKey verifies opaque machine-to-machine tokens in place of
	// the secret key.
	MachineSecretKey string `json:"machine_secret_key,omitempty" document:"file"`
	// APIURL is the base of Clerk's Backend API. Default:
	// https://api.clerk.com.
	APIURL string `json:"api_url,omitempty"`
	// ReferenceCompat decides as Clerk's own library does, to the letter, on every
	// point where the default is stricter: the issuer is not compared,
	// X-Forwarded-Host is believed, a token without the scheme Bearer is accepted, and so on.
	// It needs the secret key. For comparing, not for production. Default: false.
	ReferenceCompat bool `json:"reference_compat,omitempty"`
}

// OrganizationSync are the paths that name an organization, in the dialect of
// rules' paths: /orgs/:slug, /orgs/:id/(.*).
type OrganizationSync struct {
	// Organization are patterns with a parameter :slug or :id.
	Organization policy.StringList `json:"organization,omitempty"`
	// Personal are patterns of paths that belong to the personal account.
	Personal policy.StringList `json:"personal,omitempty"`
}

// Skew is a tolerated difference between clocks, written with its unit: "5s". Unlike a
// [policy.Duration] it may be zero, which tolerates none.
type Skew time.Duration

// defaultSkew is Clerk's.
const defaultSkew = 5 * time.Second

// UnmarshalJSON reads a duration with a unit, or "0".
func (s *Skew) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return errors.New(`write a duration with its unit, such as "5s"`)
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return fmt.Errorf(`%s is not a duration; write it with its unit, such as "5s"`, redact.Text(strconv.Quote(text)))
	}
	*s = Skew(d)
	return nil
}

// MarshalJSON writes the skew in Go's form.
func (s Skew) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(s).String())
}

// trimmed returns the configuration without the white space around its keys
// that files and environments leave there; cookie names hang on the exact key.
func (c Config) trimmed() Config {
	for _, field := range []*string{
		&c.PublishableKey, &c.SecretKey, &c.JWTKey, &c.WebhookSecret, &c.MachineSecretKey,
		&c.SignInURL, &c.SignUpURL, &c.ProxyURL, &c.Domain, &c.APIURL,
	} {
		*field = strings.TrimSpace(*field)
	}
	c.APIURL = strings.TrimRight(c.APIURL, "/")
	if c.APIURL == "" {
		c.APIURL = defaultAPIURL
	}
	return c
}

const defaultAPIURL = "https://api.clerk.com"

// skew returns the configured clock skew or the default.
func (c Config) skew() time.Duration {
	if c.ClockSkew == nil {
		return defaultSkew
	}
	return time.Duration(*c.ClockSkew)
}

// relaxed returns what the configuration relaxes.
func (c Config) relaxed() compat.Relaxations {
	return compat.Of(c.ReferenceCompat)
}

// staticKeys reads the configured key. The reference does not know \n for a line
// break.
func (c Config) staticKeys() (*jwt.StaticKeySet, error) {
	if c.ReferenceCompat && strings.Contains(c.JWTKey, `\n`) {
		return nil, errors.New(`a line break is written as \n`)
	}
	return jwt.NewStaticKeySet(c.JWTKey)
}
