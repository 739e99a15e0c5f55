package policy

import (
	"bytes"
	"encoding/json"
	"fmt"

	"github.com/clerkgate/clerkgate/internal/redact"
)

// Config is the policy part of the configuration document: what users write.
type Config struct {
	// TrustedProxies are the addresses and CIDR ranges whose X-Forwarded-For
	// and X-Forwarded-Proto are believed. Default: none.
	TrustedProxies StringList `json:"trusted_proxies,omitempty"`
	// Mode is "enforce" or "shadow": decide, log and count, but allow everything.
	// Default: enforce.
	Mode Mode `json:"mode,omitempty"`
	// Preflight is "pass" or "judge": whether a CORS preflight, which can carry no
	// credentials, is allowed where a rule requires some. Default: pass.
	Preflight string `json:"preflight,omitempty"`
	// BasePath is the path that the application is mounted at, where it removes that
	// before it routes: basePath of Next.js. Patterns are written without it.
	// Default: none.
	BasePath string `json:"base_path,omitempty" document:"nonempty"`
	// Locales are the locales that the application removes from the front of a path:
	// i18n.locales of the pages router of Next.js. Patterns are written without
	// them. Default: none.
	Locales StringList `json:"locales,omitempty" document:"nonempty"`
	// IdentityHeaders maps each header the upstream receives to where its value
	// comes from: user_id, session_id, org_id, org_slug, org_role,
	// org_permissions, token_type, actor, machine_id, client_id, scopes, or
	// claims.<path>. Default: the first seven, as X-User-Id and so on.
	IdentityHeaders map[string]string `json:"identity_headers,omitempty"`
	// UpstreamToken is the token that the upstream receives for sessions.
	// Default: none.
	UpstreamToken *UpstreamToken `json:"upstream_token,omitempty" document:"nonempty"`
	// StripCredentials keeps the user's own token and Clerk's cookies from the
	// upstream, whether the request was judged or not. Default: they are
	// forwarded.
	StripCredentials bool `json:"strip_credentials,omitempty"`
	// Assertion is a signed statement of who asks, for the upstream. Default:
	// none.
	Assertion *Assertion `json:"assertion,omitempty"`
	// Limits are the rate limits that rules may name.
	Limits map[string]Limit `json:"limits,omitempty"`
	// Rules are tried in order; the first that matches the request decides.
	Rules []Rule `json:"rules,omitempty"`
	// Default decides requests that match no rule. Default: protected.
	Default Default `json:"default,omitzero"`
	// IgnoreWarnings are the IDs of warnings that are not reported:
	// default-public.
	IgnoreWarnings StringList `json:"ignore_warnings,omitempty" document:"nonempty"`
}

// Mode says whether decisions are enforced.
type Mode string

// The modes.
const (
	Enforce Mode = "enforce"
	Shadow  Mode = "shadow"
)

// Access says what a rule requires of the requests that it matches.
type Access string

// The kinds of access.
const (
	// Protected requires a principal. It is the default.
	Protected Access = "protected"
	// Public allows anonymous requests; a valid credential still sets the identity.
	Public Access = "public"
	// Bypass allows without judging; owned headers are still removed.
	Bypass Access = "bypass"
	// DenyAccess denies every request.
	DenyAccess Access = "deny"
)

// Rule says what one kind of request requires.
type Rule struct {
	// Name appears in logs, metrics and answers. It must be unique.
	Name string `json:"name"`
	// Match says which requests the rule is for.
	Match Match `json:"match"`
	// Access is protected, public, bypass or deny. Default: protected.
	Access Access `json:"access,omitempty" document:"nonempty"`
	// Accept lists the token types that the rule accepts. Default: session_token.
	Accept TokenTypes `json:"accept,omitempty" document:"nonempty"`
	// Require is what is required of the principal.
	Require *Requirement `json:"require,omitempty"`
	// Freshness is how recent the token, the session or the verification of
	// the user must be.
	Freshness *Freshness `json:"freshness,omitempty"`
	// Limits names the rate limits to apply, in order.
	Limits StringList `json:"limits,omitempty" document:"nonempty"`
	// OnForbidden replaces the 403 answer.
	OnForbidden *OnForbidden `json:"on_forbidden,omitempty"`
	// UpstreamToken replaces the policy's.
	UpstreamToken *UpstreamToken `json:"upstream_token,omitempty" document:"nonempty"`
	// StripCredentials replaces the policy's.
	StripCredentials *bool `json:"strip_credentials,omitempty"`
	// Mode is "shadow" to allow requests that the rule would deny.
	Mode Mode `json:"mode,omitempty"`
	// EncodedSlashes is "allow" for upstreams that read %2F in a path as a
	// character, such as /projects/group%2Fproject. The path is then judged in both
	// readings, and every rule that matches either must allow it. Default: refuse.
	EncodedSlashes string `json:"encoded_slashes,omitempty" document:"nonempty"`
}

// Match is a conjunction of its keys. A rule that protects (access protected or deny)
// matches if any plausible reading of the target does; one that opens (public or
// bypass) only if every reading does.
type Match struct {
	// Path are patterns in Clerk's route-matcher dialect, any of which may
	// match: /admin(.*), /users/:id, /docs/:path*. The parameter of
	// /orgs/:slug(.*) is the first segment of what it matches.
	Path StringList `json:"path,omitempty" document:"nonempty"`
	// StaticFiles adds the usual static assets to Path: a path whose last
	// segment ends in a known extension, outside /api, /trpc and /__clerk and
	// outside what rules that protect name.
	StaticFiles bool `json:"static_files,omitempty" document:"nonempty"`
	// Host are host names; *.example.com stands for any name below it. A name
	// without a port opens only the default port and protects every port.
	Host StringList `json:"host,omitempty" document:"nonempty"`
	// Method are request methods, in capitals where they are registered ones. A
	// rule that guards GET protects HEAD as well.
	Method StringList `json:"method,omitempty" document:"nonempty"`
}

// Requirement is the conjunction of its keys. Missing data does not satisfy it.
type Requirement struct {
	// Role is a role, or a list any of which will do: org:admin.
	Role StringList `json:"role,omitempty" document:"nonempty"`
	// Permission is a permission, or a list any of which will do:
	// org:reports:read.
	Permission StringList `json:"permission,omitempty" document:"nonempty"`
	// Feature is a feature, or a list any of which will do: docs, org:docs,
	// user:beta.
	Feature StringList `json:"feature,omitempty" document:"nonempty"`
	// Plan is a plan, or a list any of which will do: pro, org:pro.
	Plan StringList `json:"plan,omitempty" document:"nonempty"`
	// Organization is the active organization the request must be made in.
	Organization *Organization `json:"organization,omitempty" document:"nonempty"`
	// User is a user id, or a list any of which will do; ":name" is the value
	// of a path parameter.
	User StringList `json:"user,omitempty" document:"nonempty"`
	// Claims maps claim paths (a.b.c) to the value, or the list of values any
	// of which will do.
	Claims map[string]any `json:"claims,omitempty" document:"nonempty"`
	// Actor is "forbidden" to deny impersonated sessions (claim act), "required" to
	// deny all others.
	Actor string `json:"actor,omitempty" document:"nonempty"`
	// Expression is a CEL expression over principal, claims, request and
	// params that must be true.
	Expression string `json:"expression,omitempty" document:"nonempty"`
	// Any is satisfied when one of its requirements is.
	Any []Requirement `json:"any,omitempty" document:"nonempty"`
	// All is satisfied when each of its requirements is.
	All []Requirement `json:"all,omitempty" document:"nonempty"`
	// Not is satisfied when its requirement is not. What cannot be decided satisfies
	// neither.
	Not *Requirement `json:"not,omitempty" document:"nonempty"`
}

// Organization names organizations by id or by slug; ":name" is the value of a
// path parameter.
type Organization struct {
	ID   StringList `json:"id,omitempty" document:"nonempty"`
	Slug StringList `json:"slug,omitempty" document:"nonempty"`
}

// Freshness says how recent a token, a session or a verification must be.
type Freshness struct {
	// MaxTokenAge is the longest time since the token was issued (claim iat).
	MaxTokenAge Duration `json:"max_token_age,omitempty" document:"nonempty"`
	// MaxSessionAge is the longest time since the session began.
	MaxSessionAge Duration `json:"max_session_age,omitempty" document:"nonempty"`
	// SessionCreatedClaim is the path of a claim holding the Unix time at which
	// the session began. Default: Clerk's Backend API is asked, and its answer
	// kept for the life of the session.
	SessionCreatedClaim string `json:"session_created_claim,omitempty" document:"nonempty"`
	// Reverification is a preset (strict_mfa, strict, moderate, lax) or a level
	// with a time.
	Reverification *Reverification `json:"reverification,omitempty" document:"nonempty"`
}

// OnForbidden is the answer in place of 403. Exactly one of its keys is set.
type OnForbidden struct {
	// Status is 403 or 404.
	Status int `json:"status,omitempty" document:"nonempty"`
	// Redirect is where navigations are sent: a path of this site, or an
	// absolute URL. Others get 403.
	Redirect string `json:"redirect,omitempty" document:"nonempty"`
}

// Limit is a rate limit.
type Limit struct {
	// Algorithm is sliding_window, fixed_window or token_bucket. Default:
	// sliding_window.
	Algorithm Algorithm `json:"algorithm,omitempty" document:"nonempty"`
	// Limit is how many requests are allowed per Window.
	Limit int `json:"limit"`
	// Window is the time Limit counts for.
	Window Duration `json:"window"`
	// Burst is how many requests a full token bucket holds. Default: Limit.
	Burst int `json:"burst,omitempty" document:"nonempty"`
	// Key is what is counted apart: user, session, org, ip, token, rule,
	// header:<name>, claims.<path>, :<path parameter>. Several are combined.
	Key StringList `json:"key" document:"nonempty"`
	// Plans replaces Limit for the principals on a plan, Roles for those with a
	// role in their active organization; of several the most generous counts.
	Plans map[string]int `json:"plans,omitempty" document:"nonempty"`
	Roles map[string]int `json:"roles,omitempty" document:"nonempty"`
	// Cost is how many requests one counts for. Default: 1.
	Cost Cost `json:"cost,omitempty" document:"nonempty"`
	// Stage is before_auth, for limits whose key needs no identity, or
	// after_auth. Default: before_auth where that can be.
	Stage Stage `json:"stage,omitempty" document:"nonempty"`
	// Allow are the client addresses and CIDR ranges that are not limited.
	Allow StringList `json:"allow,omitempty" document:"nonempty"`
	// Consistency is exact, or leased: each instance takes a slice of the quota
	// from Redis and spends it alone. Default: exact.
	Consistency Consistency `json:"consistency,omitempty" document:"nonempty"`
	// OnStoreError is local, allow or deny: what decides while Redis does not answer.
	// Default: local.
	OnStoreError StoreErrorPolicy `json:"on_store_error,omitempty" document:"nonempty"`
	// Shadow counts, logs and measures, but denies nothing.
	Shadow bool `json:"shadow,omitempty"`
	// Headers puts RateLimit and RateLimit-Policy on the responses of allowed requests
	// as well.
	Headers bool `json:"headers,omitempty"`
}

// Cost is what a request counts for by its method; "any" stands for the methods
// that are not named, which otherwise count for 1, and HEAD counts as GET unless
// it is named. It may be written as a single number. What costs 0 is not counted.
type Cost map[string]int

// Stage is when a limit is taken.
type Stage string

// The stages.
const (
	BeforeAuth Stage = "before_auth"
	AfterAuth  Stage = "after_auth"
)

// Default decides requests that match no rule.
type Default struct {
	// Access is protected, public or deny. Default: protected.
	Access Access `json:"access,omitempty" document:"nonempty"`
	// Limits names the rate limits to apply to requests that match no rule, in order.
	Limits StringList `json:"limits,omitempty" document:"nonempty"`
}

// ConfigError is one thing wrong with a Config.
type ConfigError struct {
	// Path is where: rules[3].match.path[0].
	Path string
	Msg  string
	// Suggestion is what to write instead; may be empty.
	Suggestion string
}

// Error returns the path and what is wrong there, without secrets that were
// written into the wrong place.
func (e *ConfigError) Error() string {
	s := e.ConfigMessage()
	if e.Path != "" {
		s = e.Path + ": " + s
	}
	if e.Suggestion != "" {
		s += " (" + e.Suggestion + ")"
	}
	return s
}

// ConfigPath, ConfigMessage and ConfigSuggestion let a loader that knows the
// positions of paths point at the line.
func (e *ConfigError) ConfigPath() string       { return e.Path }
func (e *ConfigError) ConfigMessage() string    { return redact.Text(e.Msg) }
func (e *ConfigError) ConfigSuggestion() string { return e.Suggestion }

// Reverification requires that factors were verified recently, in Clerk's terms
// (claim fva).
type Reverification struct {
	// Preset is strict_mfa, strict, moderate or lax; empty where Level is set.
	Preset string `json:"preset,omitempty"`
	// Level is first_factor, second_factor or multi_factor.
	Level string `json:"level,omitempty"`
	// After is how old a verification may be, exclusive; whole minutes as Clerk
	// counts them.
	After Duration `json:"after,omitempty"`
}

// UnmarshalJSON reads a preset or {level, after}.
func (r *Reverification) UnmarshalJSON(data []byte) error {
	var preset string
	if err := json.Unmarshal(data, &preset); err == nil {
		r.Preset = preset
		return nil
	}
	var long reverificationShape
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&long); err != nil {
		return fmt.Errorf("expected a preset or {level, after}: %w", err)
	}
	r.Level, r.After = long.Level, long.After
	return nil
}

// DocumentShape tells document loaders which keys the long form has.
func (*Reverification) DocumentShape() any { return new(reverificationShape) }

type reverificationShape struct {
	Level string   `json:"level"`
	After Duration `json:"after"`
}

// MarshalJSON writes the short form where there is a preset.
func (r Reverification) MarshalJSON() ([]byte, error) {
	if r.Preset != "" {
		return json.Marshal(r.Preset)
	}
	return json.Marshal(reverificationShape{r.Level, r.After})
}
