package weburl

import (
	"encoding/binary"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/net/idna"
)

// ParseHost reads a host and an optional port, and writes them as the standard does
// (WHATWG URL § 3.5): in lower case and ASCII, without the default port of the scheme.
// It reports false for what is no host.
func ParseHost(authority, scheme string) (string, bool) {
	host, port := authority, ""
	if at := strings.LastIndexByte(authority, ':'); at >= 0 && !strings.HasSuffix(authority, "]") {
		host, port = authority[:at], authority[at+1:]
	}
	if port != "" {
		n, err := strconv.ParseUint(port, 10, 16)
		if err != nil || port[0] == '+' {
			return "", false
		}
		port = ":" + strconv.FormatUint(n, 10)
	}
	if scheme == "https" && port == ":443" || scheme == "http" && port == ":80" {
		port = ""
	}
	host, ok := canonicalHost(host)
	return host + port, ok
}

// canonicalHost is a host name in lower case and in ASCII, or an address.
func canonicalHost(host string) (string, bool) {
	if literal, ok := strings.CutPrefix(host, "["); ok {
		addr, err := netip.ParseAddr(strings.TrimSuffix(literal, "]"))
		return "[" + writeIPv6(addr) + "]", err == nil && addr.Is6() && addr.Zone() == "" && strings.HasSuffix(literal, "]")
	}
	decoded, err := url.PathUnescape(host)
	if err != nil || !utf8.ValidString(decoded) {
		return "", false
	}
	ascii := strings.ToLower(decoded)
	if strings.ContainsFunc(ascii, func(r rune) bool { return r >= utf8.RuneSelf }) {
		if ascii, err = idna.Lookup.ToASCII(ascii); err != nil {
			return "", false
		}
	}
	labels := strings.Split(strings.TrimSuffix(ascii, "."), ".")
	if last := labels[len(labels)-1]; last != "" && strings.Trim(last, "0123456789") == "" || isNumber(last) {
		return parseIPv4(labels) // a name that ends in a number is an address
	}
	forbidden := func(r rune) bool { return r <= ' ' || r == 0x7f || strings.ContainsRune(`#/:<>?@[\]^|%`, r) }
	return ascii, ascii != "" && !strings.ContainsFunc(ascii, forbidden)
}

// writeIPv6 writes an address in pieces of 16 bits alone.
func writeIPv6(addr netip.Addr) string {
	if !addr.Is4In6() {
		return addr.String()
	}
	b := addr.As16()
	return fmt.Sprintf("::ffff:%x:%x", binary.BigEndian.Uint16(b[12:]), binary.BigEndian.Uint16(b[14:]))
}

// parseIPv4 reads an address of one to four numbers, of which the last fills
// what the others leave.
func parseIPv4(labels []string) (string, bool) {
	if len(labels) > net.IPv4len {
		return "", false
	}
	var address uint64
	for i, label := range labels {
		n, ok := parseNumber(label)
		rest := net.IPv4len - i
		if i < len(labels)-1 {
			rest = 1
		}
		if !ok || n >= 1<<(8*rest) {
			return "", false
		}
		address = address<<(8*rest) | n
	}
	return netip.AddrFrom4([net.IPv4len]byte(binary.BigEndian.AppendUint32(nil, uint32(address)))).String(), true
}

func isNumber(label string) bool {
	_, ok := parseNumber(label)
	return ok
}

// parseNumber reads a number of an IPv4 address: hexadecimal after 0x, octal
// after 0, else decimal.
func parseNumber(label string) (uint64, bool) {
	digits, base := label, 10
	if rest, hex := strings.CutPrefix(label, "0x"); hex {
		digits, base = rest, 16
		if digits == "" {
			return 0, true
		}
	} else if len(label) > 1 && label[0] == '0' {
		base = 8
	}
	n, err := strconv.ParseUint(digits, base, 64)
	return n, err == nil && digits[0] != '+'
}
