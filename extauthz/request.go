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

// ruleKey names a rule in a route's check_settings.context_extensions, which
// only the operator writes.
const ruleKey = "clerkgate.rule"

// usualHeaders is more than a browser sends, so that their list rarely grows.
const usualHeaders = 32

// check is what a CheckRequest says about one request, copied out of its
// encoding: most of a CheckRequest is not wanted, and decoding it into the
// generated types would cost more than the decision.
type check struct {
	// err is why the bytes are no CheckRequest; nothing else is set then.
	err     error
	request policy.Request
	// raw and joined are the headers in the two forms that Envoy sends, pseudo
	// headers included.
	raw, joined []policy.Header
	// whole: the pseudo headers are among them, so that no header was held back.
	whole bool

	// texts holds all strings, in one piece of memory.
	texts strings.Builder
	// key, value and octets are those of the header or entry being read.
	key, value, octets []byte
}

// newCheckReader returns how to read a CheckRequest.
func newCheckReader() *message {
	const (
		source = "attributes.source.address."
		http   = "attributes.request.http."
		raw    = http + "header_map.headers"
		joined = http + "headers"
		extra  = "attributes.context_extensions"
	)
	return newMessage((&authv3.CheckRequest{}).ProtoReflect().Descriptor(), map[string]take{
		http + "method":   func(c *check, v []byte) { c.request.Method = c.text(v) },
		http + "scheme":   func(c *check, v []byte) { c.request.Scheme = c.text(v) },
		http + "protocol": (*check).takeVersion,
		http + "host":     func(c *check, v []byte) { c.request.Host = c.text(v) },
		// Path and query as they are: no URL parser reads them as the upstream does.
		http + "path": func(c *check, v []byte) { c.request.Target = c.text(v) },

		raw + ".key":       (*check).takeKey,
		raw + ".value":     (*check).takeValue,
		raw + ".raw_value": (*check).takeBytes,
		raw:                (*check).takeRaw,

		joined + ".key":   (*check).takeKey,
		joined + ".value": (*check).takeValue,
		joined:            (*check).takeJoined,

		extra + ".key":   (*check).takeKey,
		extra + ".value": (*check).takeValue,
		extra:            (*check).takeExtension,

		source + "socket_address.address": (*check).takePeer,
		source + "pipe":                   (*check).takeNoPeer,
		source + "envoy_internal_address": (*check).takeNoPeer,
	})
}

// read reads an encoded CheckRequest. Nothing of data is kept.
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

// What a proxy does wrong that no client can bring about.
var (
	errTooLarge = errors.New("the check is larger than 1 MiB; remove with_request_body from Envoy's filter, since no body is judged")
	errHidden   = errors.New("allowed_headers hides headers from clerkgate; remove it")
)

// policyRequest is the request to judge. An error means that there is none that
// could be judged, whatever the policy says: bytes that are no check, a check of
// the network filter, a CONNECT without a path, or one that lacks headers which
// the upstream will see.
func (c *check) policyRequest() (*policy.Request, policy.Reason, error) {
	switch {
	case c.err == errTooLarge:
		return nil, policy.ReasonProxyMisconfigured, c.err
	case c.err != nil, c.request.Target == "":
		return nil, policy.ReasonTargetMalformed, c.err
	case !c.whole:
		return nil, policy.ReasonProxyMisconfigured, errHidden
	}
	return &c.request, "", nil
}

// headers are those of either form: header_map with encode_raw_headers, in order
// and unchanged; else the map, where repeated fields are one, joined by commas,
// and stay so. Pseudo headers are left out: the attributes say the same and are
// always there. Envoy sends them as it sends all others, and no client can, so
// where they are missing others are as well. So they may be where that field is
// missing which it sets on every request.
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
	c.whole, c.request.Unseen = method && path, !scheme
	return list
}

// ordered sorts the entries of a map, which has no order, so that a decision
// does not depend on luck. Of entries with one key the last counts.
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

func (c *check) takeKey(v []byte)   { c.key = v }
func (c *check) takeValue(v []byte) { c.value = v }
func (c *check) takeBytes(v []byte) { c.octets = v }

// takeRaw ends a header of header_map. Envoy sends its value in raw_value.
func (c *check) takeRaw([]byte) {
	value := c.value
	if len(c.octets) > 0 {
		value = c.octets
	}
	c.raw = c.appendHeader(c.raw, value)
}

// takeJoined ends an entry of the map of headers.
func (c *check) takeJoined([]byte) { c.joined = c.appendHeader(c.joined, c.value) }

func (c *check) appendHeader(list []policy.Header, value []byte) []policy.Header {
	if list == nil {
		list = make([]policy.Header, 0, usualHeaders)
	}
	list = append(list, policy.Header{Name: c.text(c.key), Value: c.text(value)})
	c.endEntry()
	return list
}

// takeExtension ends an entry of context_extensions.
func (c *check) takeExtension([]byte) {
	if string(c.key) == ruleKey {
		c.request.RuleName = c.text(c.value)
	}
	c.endEntry()
}

// endEntry forgets the entry, so that the next one has only what it says.
func (c *check) endEntry() { c.key, c.value, c.octets = nil, nil, nil }

// takeVersion reads HTTP/1.1, HTTP/2 and so on.
func (c *check) takeVersion(v []byte) {
	c.request.Version = 0
	if digits, ok := bytes.CutPrefix(v, []byte("HTTP/")); ok && len(digits) > 0 && '0' <= digits[0] && digits[0] <= '9' {
		c.request.Version = int(digits[0] - '0')
	}
}

// takePeer reads the other end of the connection to Envoy.
func (c *check) takePeer(v []byte) {
	// What is no IP address leaves the zero address.
	c.request.Peer, _ = netip.ParseAddr(c.text(v))
}

// takeNoPeer means a connection that is not over IP: a pipe, or inside Envoy.
func (c *check) takeNoPeer([]byte) { c.request.Peer = netip.Addr{} }
