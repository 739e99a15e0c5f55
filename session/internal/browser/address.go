package browser

import (
	"regexp"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

// address returns the URL under which the browser knows the request, and false
// where that cannot be told: then there is nowhere to return to from a
// handshake.
func (v *Visit) address() (*weburl.URL, bool) {
	if !v.located {
		v.located = true
		if v.auth.relaxed.Address {
			v.url = v.referenceAddress()
		} else {
			v.url = v.ownAddress()
		}
		if v.url != nil {
			v.query = v.url.Form()
		}
	}
	return v.url, v.url != nil
}

// ownAddress puts the URL together from what the proxy knows: the target as it
// came behind the origin. Nothing is resolved, so that no target names another
// host. Among authorized parties the host says which of them it is, and with
// that the scheme; a host that is none of them is not ours.
func (v *Visit) ownAddress() *weburl.URL {
	r := v.request
	target := r.Target
	if !strings.HasPrefix(target, "/") {
		absolute, ok := weburl.Parse(target)
		if !ok || !strings.EqualFold(absolute.Host, r.Host) {
			return nil
		}
		target = target[strings.Index(target, "://")+3:]
		target = target[max(0, strings.IndexByte(target, '/')):]
	}
	if (r.Scheme != "http" && r.Scheme != "https") || !plainTarget(target) || !hostOrAddress.MatchString(r.Host) {
		return nil
	}
	host, ok := weburl.ParseHost(r.Host, r.Scheme)
	if !ok {
		return nil
	}
	path, query, hasQuery := strings.Cut(target, "?")
	u := &weburl.URL{Scheme: r.Scheme, Host: host, Path: path, Query: query, HasQuery: hasQuery}
	if len(v.auth.o.AuthorizedParties) == 0 {
		return u
	}
	at := slices.IndexFunc(v.auth.origins, func(own *weburl.URL) bool { return own.Covers(host) && own.Scheme == r.Scheme })
	if at < 0 { // the proxy in front may end TLS
		at = slices.IndexFunc(v.auth.origins, func(own *weburl.URL) bool { return own.Covers(host) })
	}
	if at < 0 {
		return nil
	}
	u.Scheme = v.auth.origins[at].Scheme
	return u
}

// plainTarget reports whether a target in origin-form can be written behind an
// origin as it is.
func plainTarget(target string) bool {
	path, _, _ := strings.Cut(target, "?")
	return strings.HasPrefix(path, "/") && !strings.Contains(path, `\`) && !strings.ContainsFunc(target, func(r rune) bool {
		return r <= ' ' || r >= 0x7f || r == '#'
	})
}

// referenceAddress is the URL as Clerk's own library has it: X-Forwarded-Host
// and X-Forwarded-Proto count from anybody, and the target is resolved against
// them.
func (v *Visit) referenceAddress() *weburl.URL {
	r := v.request
	text := r.Target
	if strings.HasPrefix(text, "/") || strings.HasPrefix(text, `\`) {
		text = r.Scheme + "://" + r.Host + text
	}
	initial, ok := weburl.Parse(text)
	if !ok {
		return nil
	}
	host, scheme := r.Host, initial.Scheme
	if v.forwardedHost.present {
		host = firstOfList(v.forwardedHost.value)
	}
	if v.forwardedProto.present {
		scheme = firstOfList(v.forwardedProto.value)
	}
	if host == "" || scheme == "" || scheme+"://"+host == initial.Origin() {
		return initial
	}
	target := initial.Path
	if initial.Query != "" {
		target += "?" + initial.Query
	}
	base, ok := weburl.Parse(scheme + "://" + host)
	if ok && strings.HasPrefix(target, "//") { // which names another host
		base, ok = weburl.Parse(scheme + ":" + target)
	} else if ok {
		base.Fragment = ""
		base.SetTarget(target)
	}
	if !ok {
		return initial
	}
	return base
}

func firstOfList(value string) string {
	head, _, _ := strings.Cut(value, ",")
	return strings.Trim(head, " \t")
}

// hostOrAddress is a Host field: a name or an address, and a port.
var hostOrAddress = regexp.MustCompile(`^([A-Za-z0-9_]([A-Za-z0-9._-]*[A-Za-z0-9_])?|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?$`)
