package extauthz

import (
	"bytes"
	"errors"
	"net/netip"
	"slices"
	"strings"

	authv3 "github.com/envoyproxy/go-control-plane/envoy/service/auth/v3"
	"google.golang.org/protobuf/encoding/protowire"

	"github.com/clerkgate/clerkgate/policy"
)

// ruleKey is the key of a rule's name in check_settings.context_extensions of a route,
// which only the operator can set.
const ruleKey = "clerkgate.rule"

// usualHeaders is the initial capacity of the list of headers: more than a browser
// sends.
const usualHeaders = 32

// check is what a CheckRequest says about one request, decoded without the generated
// types: most of its fields are not needed, and decoding all of them would cost more
// than the decision.
type check struct {
	// err is why the bytes are no CheckRequest; nothing else is set then.
	err     error
	request policy.Request
	// raw and joined are the headers in the two forms that Envoy sends, with the
	// pseudo-headers.
	raw, joined []policy.Header
	// complete: the pseudo-headers are among them, so allowed_headers hides none.
	complete bool

	// texts holds all strings, in one allocation.
	texts strings.Builder
	// key, value and octets (raw_value) are those of the header or entry being read.
	key, value, octets []byte
}

// newCheckReader returns the decoder of a CheckRequest.
func newCheckReader() *message {
	const (
		source = "attributes.source.address."
		http   = "attributes.request.http."
		raw    = http + "header_map.headers"
		joined = http + "headers"
		extra  = "attributes.context_extensions"
	)
	return newMessage((&authv3.CheckRequest{}).ProtoReflect().Descriptor(), map[string]onValue{
		http + "method":   func(c *check, v []byte) { c.request.Method = c.text(v) },
		http + "scheme":   func(c *check, v []byte) { c.request.Scheme = c.text(v) },
		http + "protocol": (*check).onVersion,
		http + "host":     func(c *check, v []byte) { c.request.Host = c.text(v) },
		// Path and query as they are: no URL parser may change them for the upstream.
		http + "path": func(c *check, v []byte) { c.request.Target = c.text(v) },

		raw + ".key":       (*check).onKey,
		raw + ".value":     (*check).onMapValue,
		raw + ".raw_value": (*check).onRawValue,
		raw:                (*check).endRawHeader,

		joined + ".key":   (*check).onKey,
		joined + ".value": (*check).onMapValue,
		joined:            (*check).endJoinedHeader,

		extra + ".key":   (*check).onKey,
		extra + ".value": (*check).onMapValue,
		extra:            (*check).endExtension,

		source + "socket_address.address": (*check).onPeer,
		source + "pipe":                   (*check).onNoPeer,
		source + "envoy_internal_address": (*check).onNoPeer,
	})
}

// read decodes a CheckRequest. It copies what it keeps of data.
func (c *check) read(m *message, data []byte) {
	if len(data) > maxCheck {
		c.err = errTooLarge
		return
	}
	c.texts.Grow(len(data))
	if err := m.read(data, protowire.DefaultRecursionLimit, c); err != nil {
		*c = check{err: err}
		return
	}
	c.request.Headers = c.headers()
	c.request.UpgradeStands = true // Envoy looks at Upgrade before it asks
}

// Errors of Envoy's configuration, which no client can cause.
var (
	errTooLarge = errors.New("the check is larger than 1 MiB; remove with_request_body from Envoy's filter, since no body is judged")
	errHidden   = errors.New("allowed_headers hides headers from clerkgate; remove it")
)

// policyRequest returns the request to decide about. A reason means that the check must
// be denied, whatever the policy: it is malformed, a check of the network filter, a
// CONNECT without a path, or one without headers that the upstream will receive.
func (c *check) policyRequest() (*policy.Request, policy.Reason, error) {
	switch {
	case c.err == errTooLarge:
		return nil, policy.ReasonProxyMisconfigured, c.err
	case c.err != nil, c.request.Target == "":
		return nil, policy.ReasonTargetMalformed, c.err
	case !c.complete:
		return nil, policy.ReasonProxyMisconfigured, errHidden
	}
	return &c.request, "", nil
}

// headers returns the headers of either form: header_map with encode_raw_headers, in
// order and unchanged; or else the map, in which the values of a repeated field are
// joined by commas. Pseudo-headers are left out, since the attributes have the same
// values. Envoy sends them like all other headers, and no client can: where :method or
// :path is missing, allowed_headers hides other headers as well. Others may be hidden
// where x-forwarded-proto is missing, which Envoy sets on every request (Unseen).
func (c *check) headers() []policy.Header {
	list := c.raw
	if len(list) == 0 {
		list = ordered(c.joined)
	}
	var method, path, scheme bool
	list = slices.DeleteFunc(list, func(h policy.Header) bool {
		method = method || h.Name == ":method"
		path = path || h.Name == ":path"
		scheme = scheme || h.Name == "x-forwarded-proto"
		return strings.HasPrefix(h.Name, ":")
	})
	c.complete, c.request.Unseen = method && path, !scheme
	return list
}

// ordered sorts the entries of a map by key, so that a decision does not depend on their
// order. Of several entries with the same key it keeps the last.
func ordered(entries []policy.Header) []policy.Header {
	slices.Reverse(entries)
	slices.SortStableFunc(entries, func(a, b policy.Header) int { return strings.Compare(a.Name, b.Name) })
	return slices.CompactFunc(entries, func(a, b policy.Header) bool { return a.Name == b.Name })
}

// text copies a string.
func (c *check) text(v []byte) string {
	start := c.texts.Len()
	c.texts.Write(v)
	return c.texts.String()[start:]
}

func (c *check) onKey(v []byte)      { c.key = v }
func (c *check) onMapValue(v []byte) { c.value = v }
func (c *check) onRawValue(v []byte) { c.octets = v }

// endRawHeader adds a header of header_map. Envoy sends its value in raw_value.
func (c *check) endRawHeader([]byte) {
	value := c.value
	if len(c.octets) > 0 {
		value = c.octets
	}
	c.raw = c.appendHeader(c.raw, value)
}

// endJoinedHeader adds an entry of the map of headers.
func (c *check) endJoinedHeader([]byte) { c.joined = c.appendHeader(c.joined, c.value) }

func (c *check) appendHeader(list []policy.Header, value []byte) []policy.Header {
	if list == nil {
		list = make([]policy.Header, 0, usualHeaders)
	}
	list = append(list, policy.Header{Name: c.text(c.key), Value: c.text(value)})
	c.endEntry()
	return list
}

// endExtension reads an entry of context_extensions.
func (c *check) endExtension([]byte) {
	if string(c.key) == ruleKey {
		c.request.RuleName = c.text(c.value)
	}
	c.endEntry()
}

// endEntry resets the entry, so that nothing of it is left for the next one.
func (c *check) endEntry() { c.key, c.value, c.octets = nil, nil, nil }

// onVersion reads the major version of HTTP/1.1, HTTP/2 and so on.
func (c *check) onVersion(v []byte) {
	c.request.Version = 0
	if digits, ok := bytes.CutPrefix(v, []byte("HTTP/")); ok && len(digits) > 0 && '0' <= digits[0] && digits[0] <= '9' {
		c.request.Version = int(digits[0] - '0')
	}
}

// onPeer reads the address of the client of the connection to Envoy.
func (c *check) onPeer(v []byte) {
	// The zero address if it is no IP address.
	c.request.Peer, _ = netip.ParseAddr(c.text(v))
}

// onNoPeer is for a connection that is not over IP: a pipe, or one inside Envoy.
func (c *check) onNoPeer([]byte) { c.request.Peer = netip.Addr{} }
