package session

import (
	"encoding/base64"
	"errors"
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/pathpattern"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// maxSkew bounds clock_skew: tokens live for a minute.
const maxSkew = 5 * time.Minute

// Validate returns everything wrong with the configuration, joined, each a
// *[policy.ConfigError] whose path begins with "clerk.". Secrets are not
// repeated.
func (c Config) Validate() error {
	v := &validator{Config: c.trimmed()}
	v.publishableKey()
	v.secrets()
	v.jwtKey()
	v.tokens()
	v.urls()
	v.satellite()
	v.organizationSync()
	return errors.Join(v.errs...)
}

// Warnings says what is valid and probably not meant, under paths that begin with
// "clerk.".
func (c Config) Warnings() []policy.Warning {
	var out []policy.Warning
	warn := func(id, key, suggestion, msg string) {
		out = append(out, policy.Warning{ID: id, Path: "clerk." + key, Msg: msg, Suggestion: suggestion})
	}
	if len(c.AuthorizedParties) == 0 {
		warn(policy.WarnAuthorizedPartiesUnset, "authorized_parties", "list the origins of this site", "it is not set: tokens issued to any origin of the instance are accepted, and browsers are redirected back to any host")
	}
	if party := c.foreignParty(); party != "" {
		warn(policy.WarnInstanceDomain, "publishable_key", "use the keys of the instance of that domain, or set proxy_url or satellite", "the instance does not belong to the domain of "+party+", so browsers reject its cookies there")
	}
	if c.skew() > time.Minute {
		warn(policy.WarnClockSkewLong, "clock_skew", "synchronize the clock instead", "it exceeds the lifetime of a session token: expired tokens are accepted that long")
	}
	if c.ReferenceCompat {
		warn(policy.WarnReferenceCompat, "reference_compat", "do not use it in production", "it is meant for comparison with Clerk's own library: the issuer is not checked")
	}
	return out
}

// validator collects what is wrong with one configuration.
type validator struct {
	Config
	errs []error
}

func (v *validator) fail(key, suggestion, format string, args ...any) {
	v.errs = append(v.errs, &policy.ConfigError{Path: "clerk." + key, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
}

const whereKeys = "the keys are on the API keys page of Clerk's dashboard"

func (v *validator) publishableKey() {
	const key = "publishable_key"
	switch {
	case v.ReferenceCompat && v.SecretKey != "": // API keys and M2M tokens do without: see lacksConfig
	case v.PublishableKey == "":
		v.fail(key, "set it to the instance's pk_live_... or pk_test_... key", "there is no publishable key")
	case strings.HasPrefix(v.PublishableKey, "sk_"):
		v.fail(key, "swap publishable_key and secret_key", "this is a secret key")
	default:
		parsed, err := ParsePublishableKey(v.PublishableKey)
		if err != nil {
			v.fail(key, whereKeys, "%v", err)
		} else if !hostname.MatchString(parsed.Host) {
			v.fail(key, whereKeys, "the key names the Frontend API %q, which is not a host name", parsed.Host)
		}
	}
}

func (v *validator) secrets() {
	v.secretKey()
	v.headerSafe("machine_secret_key", v.MachineSecretKey)
	if v.WebhookSecret == "" {
		return
	}
	body, prefixed := strings.CutPrefix(v.WebhookSecret, "whsec_")
	if _, err := base64.StdEncoding.DecodeString(body); !prefixed || body == "" || err != nil {
		v.fail("webhook_secret", "copy the signing secret from the endpoint's page in Clerk's dashboard", "a webhook secret is whsec_ and base64 text")
	}
}

func (v *validator) secretKey() {
	const key = "secret_key"
	v.headerSafe(key, v.SecretKey)
	if strings.HasPrefix(v.SecretKey, "pk_") {
		v.fail(key, "swap publishable_key and secret_key", "this is a publishable key")
		return
	}
	if v.ReferenceCompat {
		if v.SecretKey == "" && v.MachineSecretKey == "" {
			v.fail(key, "leave reference_compat out", "reference_compat requires a secret key, as Clerk's own library does")
		}
		return
	}
	live, test := strings.HasPrefix(v.PublishableKey, "pk_live_"), strings.HasPrefix(v.PublishableKey, "pk_test_")
	if live && strings.HasPrefix(v.SecretKey, "sk_test_") || test && strings.HasPrefix(v.SecretKey, "sk_live_") {
		v.fail(key, "take both keys from the same instance", "the secret key and the publishable key belong to different instances, one live and one for testing")
	}
}

// headerSafe refuses secrets that cannot stand in an Authorization field.
func (v *validator) headerSafe(key, secret string) {
	if strings.ContainsFunc(secret, func(r rune) bool { return r <= ' ' || r > '~' }) {
		v.fail(key, whereKeys, "the key contains invalid characters")
	}
}

func (v *validator) jwtKey() {
	if v.JWTKey == "" {
		return
	}
	if _, err := v.staticKeys(); err != nil {
		v.fail("jwt_key", "copy the PEM public key from the API keys page of Clerk's dashboard", "%v", err)
	}
}

func (v *validator) tokens() {
	if v.ReferenceCompat {
		return
	}
	switch skew := v.skew(); {
	case skew > maxSkew:
		v.fail("clock_skew", "synchronize the clock instead", "%v is more than %v", skew, maxSkew)
	case skew < 0:
		v.fail("clock_skew", "", "%v is negative", skew)
	}
	for i, party := range v.AuthorizedParties {
		if err := checkParty(party); err != nil {
			v.fail(fmt.Sprintf("authorized_parties[%d]", i), "write scheme and host alone, in lower case: https://app.example.com, or https://*.example.com for all hosts below one of yours", "%v", err)
		} else if strings.HasPrefix(v.ProxyURL, "/") && strings.Contains(party, weburl.Wildcard) {
			v.fail(fmt.Sprintf("authorized_parties[%d]", i), "list every origin, or write proxy_url in full", "a wildcard does not say where a proxy_url that is a path is")
		}
	}
}

func (v *validator) urls() {
	v.pathOrURL("sign_in_url", v.SignInURL)
	v.pathOrURL("sign_up_url", v.SignUpURL)
	if !v.ReferenceCompat {
		v.pathOrURL("proxy_url", v.ProxyURL)
	}
	if err := calls.CheckEndpoint(v.APIURL); err != nil {
		v.fail("api_url", "leave it out to use "+defaultAPIURL, "%v", err)
	}
}

func (v *validator) pathOrURL(key, value string) {
	if value == "" || isRooted(value) || isWebURL(value) {
		return
	}
	v.fail(key, "write a path that begins with one slash, or https://...", "%q is neither a path of this site nor an absolute URL", value)
}

func (v *validator) satellite() {
	if v.Domain != "" && !hostPort.MatchString(v.Domain) {
		v.fail("domain", "write the host name alone: app.example.com", "%q is not a host name", v.Domain)
	}
	if !v.Satellite || v.ReferenceCompat {
		return // the reference looks when it is asked
	}
	if v.Domain == "" && v.ProxyURL == "" {
		v.fail("satellite", "set domain to the host name of this application", "a satellite needs a domain or a proxy_url")
	}
	if v.SignInURL == "" && strings.HasPrefix(v.PublishableKey, "pk_test_") {
		v.fail("sign_in_url", "set it to the sign-in page of the primary application", "a satellite of a development instance needs a sign_in_url")
	}
	if v.SignInURL != "" && !isWebURL(v.SignInURL) {
		v.fail("sign_in_url", "set it to the sign-in page of the primary application", "the sign_in_url of a satellite must be an absolute URL")
	}
}

func (v *validator) organizationSync() {
	if v.OrganizationSync == nil {
		return
	}
	v.pathPatterns("organization_sync.organization", v.OrganizationSync.Organization)
	v.pathPatterns("organization_sync.personal", v.OrganizationSync.Personal)
}

func (v *validator) pathPatterns(key string, patterns policy.StringList) {
	for i, p := range patterns {
		if _, err := pathpattern.Compile(p, pathpattern.Options{Reference: v.ReferenceCompat}); err != nil {
			v.fail(fmt.Sprintf("%s[%d]", key, i), "", "%v", err)
		} else if !strings.HasPrefix(p, "/") && !v.ReferenceCompat {
			v.fail(fmt.Sprintf("%s[%d]", key, i), "write /orgs/:slug", "%q is not a pattern of paths", p)
		}
	}
}

var (
	hostname = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?$`)
	hostPort = regexp.MustCompile(`^[A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?(:[0-9]{1,5})?$`)
	origin   = regexp.MustCompile(`^[a-z][a-z0-9+.-]*://([a-z0-9._-]+|\[[0-9a-f:]+\])(:[0-9]{1,5})?$`)
)

// isOrigin reports whether s has the form of a serialized origin, which is what
// claim azp holds. Schemes of applications count.
func isOrigin(s string) bool { return origin.MatchString(s) }

// isRooted reports whether s is a path of this site and cannot be read as
// another host.
func isRooted(s string) bool {
	return strings.HasPrefix(s, "/") && !strings.HasPrefix(s, "//") && !strings.ContainsFunc(s, func(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f })
}

// isWebURL reports whether s is an absolute http or https URL without
// credentials.
func isWebURL(s string) bool {
	u, err := url.Parse(s)
	return err == nil && (u.Scheme == "https" || u.Scheme == "http") && u.Hostname() != "" && u.User == nil
}
