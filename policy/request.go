package policy

import "net/netip"

// Request holds the facts a proxy knows about one request. The adapter copies
// them; it parses and decides nothing.
type Request struct {
	// Method is the request method as received, which for a WebSocket opened by
	// an extended CONNECT (RFC 8441) is the GET that the proxy makes of it. One that
	// only letter case tells from a registered method is denied, and so is CONNECT.
	Method string
	// Version is the major version of HTTP by which the client speaks; 0 where that
	// is not known.
	Version int
	// Scheme is "http" or "https" as the proxy knows it from the connection.
	Scheme string
	// Host is the Host field or :authority as received, port included.
	Host string
	// Target is the request target as received: path and query, undecoded.
	// Absolute-form is understood; every other form is denied.
	Target string
	// OriginalTarget is the target that the client sent, where the proxy has rewritten
	// it to Target since. Both are judged, since there are upstreams that go by either,
	// and the stricter decides. Redirects lead back to it. Default: Target.
	OriginalTarget string
	// Headers are the request's fields. Repeated fields are repeated entries,
	// in the order they came; names are in any case.
	Headers []Header
	// Unseen reports that the proxy may keep fields of the request from us. Then all
	// that clients may not send is removed by its name, as far as names can be listed.
	Unseen bool
	// UpgradeStands reports that the proxy treats the request as a change of protocol
	// by its Upgrade, and will, whatever fields are removed: what follows on the
	// connection then goes on unread. Such a request opens a WebSocket or is denied.
	UpgradeStands bool
	// FieldsStand reports that the proxy forwards the fields of the request as they
	// are, and only those that a decision may set as the decision says. A request with
	// another that clients may not send is denied.
	FieldsStand bool
	// AnswersAlone reports that the proxy takes nothing from a decision that allows but
	// fields for the upstream. A browser that must receive cookies, or whose query has
	// what must end here, is then sent back to the page that it asked for.
	AnswersAlone bool
	// Peer is the address of the connection the request came in on.
	Peer netip.Addr
	// Client is the client's address where the proxy has established it from
	// its own trust settings. It counts only when the policy itself names no
	// trusted proxies.
	Client netip.Addr
	// RuleName names the rule to apply where the proxy's own route
	// configuration says so. It is judged beside those that match the request, and
	// opens nothing.
	RuleName string
}

// Header is one header field.
type Header struct {
	Name  string `json:"name"`
	Value string `json:"value"`
}
