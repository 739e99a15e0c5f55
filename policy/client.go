package policy

import (
	"fmt"
	"net/netip"
	"strings"
)

// ClientAddr is the address a request is attributed to, for limits and logs.
type ClientAddr struct{ netip.Addr }

// maxForwarded bounds how many entries of X-Forwarded-For are walked.
const maxForwarded = 128

// Network is the part of the address that counts as one client: an IPv4
// address whole, an IPv6 address by its /64, since that much is one subscriber.
func (c ClientAddr) Network() netip.Prefix {
	bits := c.BitLen()
	if c.Is6() {
		bits = 64
	}
	prefix, _ := c.Prefix(bits)
	return prefix
}

// trustedProxies are the peers whose X-Forwarded-For and X-Forwarded-Proto
// count. The zero value trusts no peer.
type trustedProxies []netip.Prefix

func compileTrustedProxies(list StringList) (trustedProxies, []error) {
	var trusted trustedProxies
	var errs []error
	for i, text := range list {
		prefix, err := parsePrefix(text)
		path := fmt.Sprintf("trusted_proxies[%d]", i)
		switch {
		case err != nil:
			errs = append(errs, &ConfigError{Path: path, Msg: fmt.Sprintf("%q is neither an address nor a CIDR range", text), Suggestion: "write 10.0.0.0/8 or 192.0.2.7"})
		case prefix.Bits() == 0:
			errs = append(errs, &ConfigError{Path: path, Msg: fmt.Sprintf("%q lets every client choose its own address", text), Suggestion: "name the proxies in front"})
		default:
			trusted = append(trusted, prefix)
		}
	}
	return trusted, errs
}

func parsePrefix(text string) (netip.Prefix, error) {
	if addr, err := netip.ParseAddr(text); err == nil {
		addr = addr.Unmap()
		return netip.PrefixFrom(addr, addr.BitLen()), nil
	}
	prefix, err := netip.ParsePrefix(text)
	return prefix.Masked(), err
}

func (t trustedProxies) contain(addr netip.Addr) bool { return containsAddr(t, addr) }

func containsAddr(list []netip.Prefix, addr netip.Addr) bool {
	for _, prefix := range list {
		if prefix.Contains(addr) {
			return true
		}
	}
	return false
}

// client walks X-Forwarded-For from the right, past trusted proxies, to the
// first other address. An entry that cannot be read ends the walk, and the peer
// counts. A peer that is not trusted is its own client.
func (t trustedProxies) client(peer netip.Addr, forwardedFor []string) ClientAddr {
	peer = peer.Unmap().WithZone("")
	if !t.contain(peer) {
		return ClientAddr{peer}
	}
	client, walked := peer, 0
	for i := len(forwardedFor) - 1; i >= 0; i-- {
		rest := forwardedFor[i]
		for more := true; more; {
			var entry string
			if at := strings.LastIndexByte(rest, ','); at >= 0 {
				rest, entry = rest[:at], rest[at+1:]
			} else {
				entry, more = rest, false
			}
			addr, ok := ParseForwarded(strings.Trim(entry, " \t"))
			if walked++; !ok || walked > maxForwarded {
				return ClientAddr{peer}
			}
			if client = addr; !t.contain(addr) {
				return ClientAddr{addr}
			}
		}
	}
	return ClientAddr{client}
}

// ParseForwarded reads one entry of X-Forwarded-For: an address, with or
// without port and brackets. It reports false where it is none.
func ParseForwarded(entry string) (netip.Addr, bool) {
	if addr, err := netip.ParseAddr(entry); err == nil {
		return addr.Unmap().WithZone(""), true
	}
	if pair, err := netip.ParseAddrPort(entry); err == nil {
		return pair.Addr().Unmap().WithZone(""), true
	}
	if inner, ok := strings.CutPrefix(entry, "["); ok {
		if inner, ok = strings.CutSuffix(inner, "]"); ok {
			addr, err := netip.ParseAddr(inner)
			return addr.Unmap().WithZone(""), err == nil
		}
	}
	return netip.Addr{}, false
}

// believes reports whether the request comes from a proxy that may say which host
// it was asked for: a trusted one, or without any of ours one by which the proxy
// went to tell the client from its peer.
func (p *Policy) believes(r *Request) bool {
	if len(p.trusted) > 0 {
		return p.trusted.contain(r.Peer.Unmap())
	}
	return r.Client.IsValid() && r.Client.Unmap() != r.Peer.Unmap()
}

// Trusts reports whether the address is of a trusted proxy: see trusted_proxies in
// [Config].
func (p *Policy) Trusts(addr netip.Addr) bool { return p.trusted.contain(addr.Unmap()) }
