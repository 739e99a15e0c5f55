package policy

import (
	"maps"
	"net/http"
	"slices"
	"strings"
)

// Reason says why a decision came out as it did. Reasons are public: metric
// labels, log fields, and the reason in a response body. Where Clerk has a word
// for it, the word is Clerk's. The zero value means that nothing stood in the
// way.
type Reason string

// Reasons of requests that may pass.
const (
	ReasonAllowed   Reason = "allowed"
	ReasonPublic    Reason = "public"
	ReasonBypass    Reason = "bypass"
	ReasonPreflight Reason = "preflight"
	ReasonShadow    Reason = "shadow"
)

// Reasons of requests that are not well formed.
const (
	ReasonTargetMalformed     Reason = "target-malformed"
	ReasonTargetAmbiguous     Reason = "target-ambiguous"
	ReasonTargetTooLong       Reason = "target-too-long"
	ReasonHostMalformed       Reason = "host-malformed"
	ReasonMethodMalformed     Reason = "method-malformed"
	ReasonMethodConnect       Reason = "method-connect"
	ReasonMethodTrace         Reason = "method-trace"
	ReasonUpgradeRefused      Reason = "upgrade-refused"
	ReasonHeaderMalformed     Reason = "header-malformed"
	ReasonHeaderRepeated      Reason = "header-repeated"
	ReasonHeadersTooMany      Reason = "headers-too-many"
	ReasonConnectionMalformed Reason = "connection-malformed"
	ReasonAuthorizationTwice  Reason = "authorization-repeated"
	ReasonAuthorizationForm   Reason = "authorization-malformed"
	ReasonProxyMisconfigured  Reason = "proxy-misconfigured"
	// ReasonHeaderReserved is for proxies that cannot remove the header.
	ReasonHeaderReserved Reason = "header-reserved"
	// ReasonCheckMalformed is for proxies that ask by a request of their own.
	ReasonCheckMalformed Reason = "check-malformed"
	ReasonPeerUntrusted  Reason = "peer-untrusted"
)

// Reasons why a request is anonymous, in Clerk's words.
const (
	ReasonSessionMissing       Reason = "session-token-and-uat-missing"
	ReasonSessionNoUAT         Reason = "session-token-but-no-client-uat"
	ReasonUATNoSession         Reason = "client-uat-but-no-session-token"
	ReasonSessionBeforeUAT     Reason = "session-token-iat-before-client-uat"
	ReasonSessionEmpty         Reason = "session-token-missing"
	ReasonSessionExpired       Reason = "session-token-expired"
	ReasonSessionNotYet        Reason = "session-token-nbf"
	ReasonSessionFromFuture    Reason = "session-token-iat-in-the-future"
	ReasonTokenInvalid         Reason = "token-invalid"
	ReasonTokenExpired         Reason = "token-expired"
	ReasonTokenNotActive       Reason = "token-not-active-yet"
	ReasonTokenFromFuture      Reason = "token-iat-in-the-future"
	ReasonTokenAlgorithm       Reason = "token-invalid-algorithm"
	ReasonTokenParties         Reason = "token-invalid-authorized-parties"
	ReasonTokenSignature       Reason = "token-invalid-signature"
	ReasonTokenVerification    Reason = "token-verification-failed"
	ReasonTokenType            Reason = "token-type-mismatch"
	ReasonKidMismatch          Reason = "jwk-kid-mismatch"
	ReasonKeysFailed           Reason = "jwk-remote-failed-to-load"
	ReasonNoToken              Reason = "No token in header"
	ReasonUnexpectedError      Reason = "unexpected-error"
	ReasonDevBrowserMissing    Reason = "dev-browser-missing"
	ReasonDevBrowserSync       Reason = "dev-browser-sync"
	ReasonPrimaryResponds      Reason = "primary-responds-to-syncing"
	ReasonCrossOriginSync      Reason = "primary-domain-cross-origin-sync"
	ReasonSatelliteSync        Reason = "satellite-needs-syncing"
	ReasonOrganizationMismatch Reason = "active-organization-mismatch"
)

// Reasons why an expired session was not refreshed, in Clerk's words.
const (
	// ReasonRefreshPrefix begins them all. What follows may, in reference mode,
	// also be a code of the Backend API.
	ReasonRefreshPrefix Reason = "session-token-expired-refresh-"

	ReasonExpiredNotGet           = ReasonRefreshPrefix + "non-eligible-non-get"
	ReasonExpiredNoRefreshCookie  = ReasonRefreshPrefix + "non-eligible-no-refresh-cookie"
	ReasonExpiredNoClient         = ReasonRefreshPrefix + "missing-api-client"
	ReasonExpiredUnreadable       = ReasonRefreshPrefix + "expired-session-token-decode-failed"
	ReasonExpiredNoSessionID      = ReasonRefreshPrefix + "expired-session-token-missing-sid-claim"
	ReasonExpiredRefreshedInvalid = ReasonRefreshPrefix + "invalid-session-token"
	ReasonExpiredRefreshFailed    = ReasonRefreshPrefix + "fetch-error"
	ReasonExpiredRefreshEmpty     = ReasonRefreshPrefix + "unexpected-sdk-error"
	ReasonExpiredRefreshRefused   = ReasonRefreshPrefix + "unexpected-bapi-error"
)

// Reasons why a request is anonymous, in our words.
const (
	ReasonIssuer          Reason = "token-invalid-issuer"
	ReasonSessionPending  Reason = "session-pending"
	ReasonSessionConflict Reason = "session-conflict"
	ReasonSessionRevoked  Reason = "session-revoked"
	ReasonTokenTooOld     Reason = "token-too-old"
	ReasonClaimsStale     Reason = "claims-stale"
	// ReasonHandshakeInvalid is for developers: in production a handshake that
	// does not verify is left aside.
	ReasonHandshakeInvalid Reason = "handshake-invalid"
	// ReasonHandshakeUnasked sends a browser to a handshake of its own, that comes
	// with the answer of one that it was not sent to.
	ReasonHandshakeUnasked Reason = "handshake-not-asked-for"
	ReasonReturnMalformed  Reason = "redirect-url-malformed"
)

// Reasons why somebody signed in may not pass.
const (
	ReasonRoleMissing          Reason = "role-missing"
	ReasonPermissionMissing    Reason = "permission-missing"
	ReasonFeatureMissing       Reason = "feature-missing"
	ReasonPlanMissing          Reason = "plan-missing"
	ReasonOrganizationRequired Reason = "organization-mismatch"
	ReasonUserNotAllowed       Reason = "user-not-allowed"
	ReasonClaimMismatch        Reason = "claim-mismatch"
	ReasonActorForbidden       Reason = "actor-forbidden"
	ReasonActorRequired        Reason = "actor-required"
	ReasonExpressionFalse      Reason = "expression-false"
	ReasonExpressionFailed     Reason = "expression-failed"
	ReasonRequirementNot       Reason = "requirement-excluded"
	ReasonRequirementAny       Reason = "requirement-none-met"
	ReasonClaimsUndecidable    Reason = "claims-undecidable"
	ReasonRuleDenies           Reason = "rule-denies"
	ReasonReverification       Reason = "reverification-error"
	ReasonSessionTooOld        Reason = "session-too-old"
)

// Reasons of limits, outages and faults.
const (
	ReasonRateLimited        Reason = "rate-limited"
	ReasonKeysUnavailable    Reason = "keys-unavailable"
	ReasonClerkUnavailable   Reason = "clerk-unavailable"
	ReasonSecretKeyInvalid   Reason = "secret-key-invalid"
	ReasonLimiterUnavailable Reason = "limiter-unavailable"
	// ReasonRevocationsUnavailable: it is not known whether the session has ended.
	ReasonRevocationsUnavailable Reason = "revocations-unavailable"
	ReasonAssertionFailed        Reason = "assertion-failed"
	ReasonMatchTimeout           Reason = "match-timeout"
	ReasonCanceled               Reason = "canceled"
	ReasonPanic                  Reason = "internal-error"
	ReasonUnknownRule            Reason = "rule-unknown"
	ReasonNoDecision             Reason = "no-decision"
	// ReasonNotFound stands in answers that hide what is there; the decision
	// itself keeps the reason it was made for.
	ReasonNotFound Reason = "not-found"
)

// reasonInfo is what a reason means to the client.
type reasonInfo struct {
	status int
	detail string
}

// reasons maps every reason to its status and to one plain sentence for
// people. It is the only such table; docs/reasons.md shows it.
var reasons = map[Reason]reasonInfo{
	ReasonAllowed:   {http.StatusOK, "The policy allows this request."},
	ReasonPublic:    {http.StatusOK, "This route is public."},
	ReasonBypass:    {http.StatusOK, "This route bypasses the policy."},
	ReasonShadow:    {http.StatusOK, "The policy would deny this request. It is allowed because shadow mode is on."},
	ReasonPreflight: {http.StatusOK, "CORS preflight requests carry no credentials and are allowed."},

	ReasonTargetMalformed:     {http.StatusBadRequest, "The URL of this request is malformed."},
	ReasonTargetAmbiguous:     {http.StatusBadRequest, "The URL of this request is ambiguous."},
	ReasonTargetTooLong:       {http.StatusRequestURITooLong, "The URL of this request is too long."},
	ReasonHostMalformed:       {http.StatusBadRequest, "The host of this request is malformed."},
	ReasonMethodMalformed:     {http.StatusBadRequest, "The method of this request is malformed."},
	ReasonMethodConnect:       {http.StatusBadRequest, "The method CONNECT is not allowed."},
	ReasonMethodTrace:         {http.StatusBadRequest, "The method TRACE is not allowed."},
	ReasonUpgradeRefused:      {http.StatusBadRequest, "Only upgrades to WebSocket are allowed, by GET and without a body."},
	ReasonHeaderMalformed:     {http.StatusBadRequest, "A header of this request is malformed."},
	ReasonHeaderRepeated:      {http.StatusBadRequest, "A header that a rate limit counts by was sent twice, with different values."},
	ReasonHeadersTooMany:      {http.StatusRequestHeaderFieldsTooLarge, "This request has too many headers."},
	ReasonConnectionMalformed: {http.StatusBadRequest, "The Connection header of this request names a header that must not be dropped."},
	ReasonAuthorizationForm:   {http.StatusBadRequest, "The Authorization header of this request holds more than one token."},
	ReasonAuthorizationTwice:  {http.StatusBadRequest, "This request has more than one Authorization header."},
	ReasonProxyMisconfigured:  {http.StatusServiceUnavailable, "The proxy in front of this site does not send what is needed for a decision."},
	ReasonHeaderReserved:      {http.StatusBadRequest, "This request has a header that only proxies may send."},
	ReasonCheckMalformed:      {http.StatusBadRequest, "The proxy in front of this site does not say clearly what was asked for."},
	ReasonPeerUntrusted:       {http.StatusForbidden, "Only the proxies in front of this site are answered here."},

	ReasonSessionMissing:       {http.StatusUnauthorized, signInDetail},
	ReasonSessionNoUAT:         {http.StatusUnauthorized, signInDetail},
	ReasonUATNoSession:         {http.StatusUnauthorized, signInDetail},
	ReasonSessionBeforeUAT:     {http.StatusUnauthorized, signInDetail},
	ReasonSessionEmpty:         {http.StatusUnauthorized, signInDetail},
	ReasonSessionExpired:       {http.StatusUnauthorized, expiredDetail},
	ReasonSessionNotYet:        {http.StatusUnauthorized, "The session token is not active yet."},
	ReasonSessionFromFuture:    {http.StatusUnauthorized, "The session token is not active yet."},
	ReasonTokenInvalid:         {http.StatusUnauthorized, tokenDetail},
	ReasonTokenExpired:         {http.StatusUnauthorized, "The token has expired."},
	ReasonTokenNotActive:       {http.StatusUnauthorized, "The token is not active yet."},
	ReasonTokenFromFuture:      {http.StatusUnauthorized, "The token is not active yet."},
	ReasonTokenAlgorithm:       {http.StatusUnauthorized, tokenDetail},
	ReasonTokenParties:         {http.StatusUnauthorized, "The token is for another application, or names none (claim azp)."},
	ReasonTokenSignature:       {http.StatusUnauthorized, tokenDetail},
	ReasonTokenVerification:    {http.StatusUnauthorized, tokenDetail},
	ReasonTokenType:            {http.StatusUnauthorized, "This route does not accept this type of token."},
	ReasonKidMismatch:          {http.StatusUnauthorized, tokenDetail},
	ReasonKeysFailed:           {http.StatusUnauthorized, tokenDetail},
	ReasonNoToken:              {http.StatusUnauthorized, "This route requires a bearer token in the Authorization header."},
	ReasonUnexpectedError:      {http.StatusUnauthorized, tokenDetail},
	ReasonDevBrowserMissing:    {http.StatusUnauthorized, signInDetail},
	ReasonDevBrowserSync:       {http.StatusUnauthorized, signInDetail},
	ReasonPrimaryResponds:      {http.StatusUnauthorized, signInDetail},
	ReasonCrossOriginSync:      {http.StatusUnauthorized, signInDetail},
	ReasonSatelliteSync:        {http.StatusUnauthorized, signInDetail},
	ReasonOrganizationMismatch: {http.StatusUnauthorized, signInDetail},

	ReasonExpiredNotGet:           {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredNoRefreshCookie:  {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredNoClient:         {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredUnreadable:       {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredNoSessionID:      {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredRefreshedInvalid: {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredRefreshFailed:    {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredRefreshEmpty:     {http.StatusUnauthorized, expiredDetail},
	ReasonExpiredRefreshRefused:   {http.StatusUnauthorized, expiredDetail},

	ReasonIssuer:          {http.StatusUnauthorized, tokenDetail},
	ReasonSessionPending:  {http.StatusUnauthorized, "The sign-in is not complete: the session has pending tasks."},
	ReasonSessionConflict: {http.StatusUnauthorized, "The request carries more than one session."},
	ReasonSessionRevoked:  {http.StatusUnauthorized, "The session has ended."},
	ReasonTokenTooOld:     {http.StatusUnauthorized, "The token is too old for this route."},
	ReasonClaimsStale:     {http.StatusUnauthorized, "The claims of the token are out of date. Fetch a new token."},

	ReasonHandshakeInvalid: {http.StatusInternalServerError, "The handshake from Clerk is invalid. If keys were rotated, clear the cookies and try again."},
	ReasonHandshakeUnasked: {http.StatusUnauthorized, signInDetail},
	ReasonReturnMalformed:  {http.StatusBadRequest, "The URL to return to is malformed."},

	ReasonRoleMissing:          {http.StatusForbidden, forbiddenDetail},
	ReasonPermissionMissing:    {http.StatusForbidden, forbiddenDetail},
	ReasonFeatureMissing:       {http.StatusForbidden, forbiddenDetail},
	ReasonPlanMissing:          {http.StatusForbidden, forbiddenDetail},
	ReasonOrganizationRequired: {http.StatusForbidden, forbiddenDetail},
	ReasonUserNotAllowed:       {http.StatusForbidden, forbiddenDetail},
	ReasonClaimMismatch:        {http.StatusForbidden, forbiddenDetail},
	ReasonActorForbidden:       {http.StatusForbidden, "This route is closed to impersonated sessions."},
	ReasonActorRequired:        {http.StatusForbidden, forbiddenDetail},
	ReasonExpressionFalse:      {http.StatusForbidden, forbiddenDetail},
	ReasonExpressionFailed:     {http.StatusForbidden, forbiddenDetail},
	ReasonRequirementNot:       {http.StatusForbidden, forbiddenDetail},
	ReasonRequirementAny:       {http.StatusForbidden, forbiddenDetail},
	ReasonClaimsUndecidable:    {http.StatusForbidden, forbiddenDetail},
	ReasonRuleDenies:           {http.StatusForbidden, "This route is closed."},
	ReasonReverification:       {http.StatusForbidden, "This route requires a recent verification. Verify your credentials again."},
	ReasonSessionTooOld:        {http.StatusForbidden, "The session is too old for this route. Sign in again."},

	ReasonRateLimited:            {http.StatusTooManyRequests, "Too many requests. Try again later."},
	ReasonKeysUnavailable:        {http.StatusServiceUnavailable, unavailableDetail},
	ReasonClerkUnavailable:       {http.StatusServiceUnavailable, unavailableDetail},
	ReasonSecretKeyInvalid:       {http.StatusServiceUnavailable, unavailableDetail},
	ReasonLimiterUnavailable:     {http.StatusServiceUnavailable, unavailableDetail},
	ReasonRevocationsUnavailable: {http.StatusServiceUnavailable, unavailableDetail},
	ReasonAssertionFailed:        {http.StatusInternalServerError, "The identity assertion could not be signed."},
	ReasonMatchTimeout:           {http.StatusServiceUnavailable, unavailableDetail},
	ReasonCanceled:               {http.StatusServiceUnavailable, unavailableDetail},
	ReasonPanic:                  {http.StatusInternalServerError, "An internal error occurred while this request was checked."},
	ReasonUnknownRule:            {http.StatusInternalServerError, "The proxy names a rule that is not in the policy."},
	ReasonNoDecision:             {http.StatusForbidden, forbiddenDetail},
	ReasonNotFound:               {http.StatusNotFound, "Not found."},
}

const (
	expiredDetail     = "The session token has expired."
	signInDetail      = "Sign in to continue."
	tokenDetail       = "The token is invalid."
	forbiddenDetail   = "You do not have access to this."
	unavailableDetail = "Access cannot be decided right now. Try again in a moment."
)

// info looks the reason up. Whatever kept a session from being refreshed, it has
// expired.
func (r Reason) info() (reasonInfo, bool) {
	if info, ok := reasons[r]; ok {
		return info, true
	}
	if strings.HasPrefix(string(r), string(ReasonRefreshPrefix)) {
		return reasons[ReasonSessionExpired], true
	}
	return reasonInfo{}, false
}

// Status returns the HTTP status the reason stands for. A reason the table does
// not know is a fault of ours: 500.
func (r Reason) Status() int {
	if info, ok := r.info(); ok {
		return info.status
	}
	return http.StatusInternalServerError
}

// outages are the reasons of requests that could not be decided because something
// that is needed was out of reach, which no client can bring about.
var outages = []Reason{ReasonKeysUnavailable, ReasonClerkUnavailable, ReasonLimiterUnavailable, ReasonRevocationsUnavailable}

// IsOutage reports whether something that is needed to decide was out of reach: the
// keys, Clerk, or a store. No client can bring that about.
func (r Reason) IsOutage() bool { return slices.Contains(outages, r) }

// Detail returns one plain sentence for people.
func (r Reason) Detail() string {
	if info, ok := r.info(); ok {
		return info.detail
	}
	return reasons[ReasonPanic].detail
}

// Reasons lists every reason, sorted.
func Reasons() []Reason { return slices.Sorted(maps.Keys(reasons)) }
