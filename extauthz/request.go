package extauthz

import (
	"net/netip"
	"slices"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"

	"github.com/clerkgate/clerkgate/policy"
)

// ruleKey names a rule in a route's check_settings.context_extensions, which
// only the operator writes.
const ruleKey = "clerkgate.rule"

// translate copies what Envoy says about one request. A reason means that it is
// no HTTP request that could be judged, whatever the policy says: a check of
// the network filter, a CONNECT without a path, or one without headers.
func translate(check *authv3.CheckRequest) (*policy.Request, policy.Reason) {
	attributes := check.GetAttributes()
	http := attributes.GetRequest().GetHttp()
	switch {
	case http == nil, http.GetPath() == "":
		return nil, policy.ReasonTargetMalformed
	case len(http.GetHeaderMap().GetHeaders()) == 0 && len(http.GetHeaders()) == 0:
		return nil, policy.ReasonHeaderMalformed
	}
	return &policy.Request{
		Method:   http.GetMethod(),
		Scheme:   http.GetScheme(),
		Host:     http.GetHost(),
		Target:   http.GetPath(), // path and query as they are: no URL parser reads them as the upstream does
		Headers:  headers(http),
		Peer:     peer(attributes.GetSource()),
		RuleName: attributes.GetContextExtensions()[ruleKey],
	}, ""
}

// headers reads both forms Envoy sends: header_map with encode_raw_headers, in
// order and unchanged; else the map, where repeated fields are one, joined by
// commas, and stay so. Pseudo headers are left out: the attributes say the same
// and are always there.
func headers(http *authv3.AttributeContext_HttpRequest) []policy.Header {
	if raw := http.GetHeaderMap().GetHeaders(); len(raw) > 0 {
		list := make([]policy.Header, 0, len(raw))
		for _, h := range raw {
			if isPseudo(h.GetKey()) {
				continue
			}
			value := h.GetValue()
			if bytes := h.GetRawValue(); len(bytes) > 0 {
				value = string(bytes)
			}
			list = append(list, policy.Header{Name: h.GetKey(), Value: value})
		}
		return list
	}
	list := make([]policy.Header, 0, len(http.GetHeaders()))
	for name, value := range http.GetHeaders() {
		if !isPseudo(name) {
			list = append(list, policy.Header{Name: name, Value: value})
		}
	}
	// A map has no order, and a decision must not depend on luck.
	slices.SortFunc(list, func(a, b policy.Header) int { return strings.Compare(a.Name, b.Name) })
	return list
}

func isPseudo(name string) bool { return name != "" && name[0] == ':' }

// peer is the other end of the connection to Envoy; the zero address where that
// is no IP connection (a pipe, an internal listener).
func peer(source *authv3.AttributeContext_Peer) netip.Addr {
	addr, err := netip.ParseAddr(source.GetAddress().GetSocketAddress().GetAddress())
	if err != nil {
		return netip.Addr{}
	}
	return addr
}
