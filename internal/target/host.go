package target

import (
	"net/netip"
	"strconv"
	"strings"
)

// ParseHost reads an authority: a name or an address, and a port. Names compare
// without case, default port and final dot; anything odd is [ErrHost].
func ParseHost(raw, scheme string) (host, port string, err error) {
	host = raw
	if i := strings.LastIndexByte(raw, ':'); i >= 0 && !strings.HasSuffix(raw, "]") {
		host, port = raw[:i], raw[i+1:]
		if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 || port[0] == '0' || port[0] == '+' {
			return "", "", ErrHost
		}
		if scheme == "https" && port == "443" || scheme != "https" && port == "80" {
			port = ""
		}
	}
	if literal, ok := strings.CutPrefix(host, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
		if err != nil || !addr.Is6() || addr.Zone() != "" || literal[len(literal)-1] != ']' {
			return "", "", ErrHost
		}
		return "[" + addr.String() + "]", port, nil // one address, one spelling
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if !plainHost(host) {
		return "", "", ErrHost
	}
	return host, port, nil
}

func plainHost(host string) bool {
	if len(host) > 253 || host == "" {
		return false
	}
	for i := range len(host) {
		switch c := host[i]; {
		case 'a' <= c && c <= 'z', '0' <= c && c <= '9', c == '-', c == '_':
		case c == '.' && i > 0 && host[i-1] != '.':
		default:
			return false
		}
	}
	return host[len(host)-1] != '.'
}

// sameHost reports whether two authorities, each under its scheme, name one host
// and port.
func sameHost(a, schemeA, b, schemeB string) bool {
	hostA, portA, errA := ParseHost(a, schemeA)
	hostB, portB, errB := ParseHost(b, schemeB)
	return errA == nil && errB == nil && hostA == hostB && portA == portB
}
