package policy

import "net/netip"

// Request holds the facts a proxy knows about one request. The adapter copies
// them; it parses and decides nothing.
type Request struct {
	// Method is the request method as received. Methods are case-sensitive
	// (RFC 9110 § 9.1).
	Method string
	// Scheme is "http" or "https" as the proxy knows it from the connection.
	Scheme string
	// Host is the Host field or :authority as received, port included.
	Host string
	// Target is the request target as received: path and query, undecoded.
	// Absolute-form is understood; everything else is refused.
	Target string
	// Sent is the target that the client sent, where the proxy has rewritten it
	// to Target since. Redirects lead back to it; it is not judged. Default:
	// Target.
	Sent string
	// Headers are the request's fields. Repeated fields are repeated entries,
	// in the order they came; names are in any case.
	Headers []Header
	// Peer is the address of the connection the request came in on.
	Peer netip.Addr
	// Client is the client's address where the proxy has established it from
	// its own trust settings. It counts only when the policy itself names no
	// trusted proxies.
	Client netip.Addr
	// RuleName names the rule to apply where the proxy's own route
	// configuration says so. It does not open what a guarding rule meets.
	RuleName string
}

// Header is one header field.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
