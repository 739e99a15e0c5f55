package policy

import (
	"net/http"
	"slices"
	"strings"
	"time"
)

// Outcome is what the proxy is to do. The zero value is Deny.
type Outcome uint8

// The outcomes.
const (
	// Deny: answer the client with the decision's status and body.
	Deny Outcome = iota
	// Allow: forward the request, with the decision's header edits.
	Allow
	// Redirect: answer the client with a Location.
	Redirect
	// Error: answer the client; what failed is ours or the operator's to fix.
	Error
)

// String returns the outcome as metrics and logs show it.
func (o Outcome) String() string {
	switch o {
	case Allow:
		return "allow"
	case Redirect:
		return "redirect"
	case Error:
		return "error"
	default:
		return "deny"
	}
}

// Decision is the answer to one request. The zero Decision denies.
type Decision struct {
	Outcome Outcome
	// Status is the HTTP status of the answer; 200 where the request is allowed.
	Status int
	Reason Reason
	// Rule is the name of the rule that decided, "default" for the default, and
	// empty where no rule was reached.
	Rule string

	// RemoveHeaders and SetHeaders edit the request on its way upstream, or to
	// whatever answers a denial in our place. The two never name the same header.
	// RemoveHeaders has every owned name that is not set, and every name in the
	// request that folds to an owned one; names compare without case. Both are shared
	// and must not be changed.
	RemoveHeaders []string
	SetHeaders    []Header
	// RemoveQuery are the parameters of the query that the upstream does not
	// receive, by their names as the query spells them.
	RemoveQuery []string

	// ResponseHeaders go onto the response, whatever the outcome. Names may
	// repeat (Set-Cookie) and every entry is its own field.
	ResponseHeaders []Header
	// Body answers the client where the outcome is not Allow. It is shared and
	// must not be changed.
	Body []byte

	// GRPC is set where the caller speaks gRPC and the outcome is not Allow.
	GRPC *GRPCStatus

	// Principal is who asked, where that was established; nil otherwise.
	Principal *Principal
	// Client is the client address used for limits and logs.
	Client ClientAddr
	// Limits are the results of the rule's limits, in the rule's order.
	Limits []LimitResult

	// Shadow is the decision that would have been enforced, where shadow mode
	// allowed the request in spite of it.
	Shadow *Decision
	// Cause is private: it is for the log and never reaches the client.
	Cause error
}

// Allowed reports whether the request is to be forwarded.
func (d *Decision) Allowed() bool { return d.Outcome == Allow }

// KeptQuery is a query as the upstream receives it: without the parameters of
// RemoveQuery, and otherwise as it is written.
func (d *Decision) KeptQuery(query string) string {
	if len(d.RemoveQuery) == 0 {
		return query
	}
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(d.RemoveQuery, name)
	}), "&")
}

// Header returns the first response header of that name, or "".
func (d *Decision) Header(name string) string {
	for _, h := range d.ResponseHeaders {
		if http.CanonicalHeaderKey(h.Name) == http.CanonicalHeaderKey(name) {
			return h.Value
		}
	}
	return ""
}

// GRPCStatus is the answer to a gRPC caller.
type GRPCStatus struct {
	// Code is a gRPC status code (google.rpc.Code).
	Code    uint32
	Message string
}

// grpcCodes maps the statuses of denials to gRPC status codes.
var grpcCodes = map[int]uint32{
	http.StatusBadRequest:                  3,  // INVALID_ARGUMENT
	http.StatusRequestURITooLong:           3,  // INVALID_ARGUMENT
	http.StatusRequestHeaderFieldsTooLarge: 3,  // INVALID_ARGUMENT
	http.StatusUnauthorized:                16, // UNAUTHENTICATED
	http.StatusForbidden:                   7,  // PERMISSION_DENIED
	http.StatusNotFound:                    5,  // NOT_FOUND
	http.StatusTooManyRequests:             8,  // RESOURCE_EXHAUSTED
	http.StatusInternalServerError:         13, // INTERNAL
	http.StatusServiceUnavailable:          14, // UNAVAILABLE
}

// grpcCode is the gRPC status code of a denial. It is never OK.
func grpcCode(status int) uint32 {
	if code, ok := grpcCodes[status]; ok {
		return code
	}
	return 13 // INTERNAL
}

// LimitResult is the result of one limit for one request.
type LimitResult struct {
	// Name is the limit's name in the policy.
	Name string
	// Allowed reports whether the request is inside the limit. The zero value
	// denies.
	Allowed bool
	// Limit is the quota in force, in requests per Window.
	Limit  int
	Window time.Duration
	// Remaining is how many more requests would be allowed now.
	Remaining int
	// Reset is the time until the quota is whole again.
	Reset time.Duration
	// RetryAfter is the time until the next request could be allowed; zero when one
	// would be now.
	RetryAfter time.Duration
	// Shadow: the limit is in shadow mode, so that the request is allowed all the same.
	Shadow bool

	// advertised: the responses of allowed requests have the RateLimit fields as well.
	advertised bool
}
