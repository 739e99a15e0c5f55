package policy

import (
	"slices"
	"strings"
)

// substitute puts what was issued in the place of the user's credentials, and
// removes those if they are not to be forwarded.
func (e *evaluation) substitute(d *Decision) {
	strips := e.strips()
	if !strips && len(e.issued) == 0 {
		return
	}
	const room = 4                                                                    // for two headers that were issued, and two that are stripped
	d.SetHeaders = append(make([]Header, 0, len(d.SetHeaders)+room), d.SetHeaders...) // what it was is shared
	d.RemoveHeaders = append(make([]string, 0, len(d.RemoveHeaders)+room), d.RemoveHeaders...)
	if strips {
		e.stripAuthorization(d)
		e.stripCookies(d)
	}
	for _, h := range e.issued {
		d.setUpstream(h)
	}
}

// strips reports whether a rule, or the policy where none was reached, keeps the
// user's credentials from the upstream.
func (e *evaluation) strips() bool {
	if e.rule == nil {
		return e.policy.strip
	}
	return e.rule.strip || slices.ContainsFunc(e.also, func(r *rule) bool { return r.strip })
}

// stripAuthorization removes the Authorization field if it has a token.
func (e *evaluation) stripAuthorization(d *Decision) {
	for _, h := range e.request.Headers {
		if strings.EqualFold(h.Name, authorizationHeader) && hasToken(h.Value) {
			d.removeUpstream(authorizationHeader)
			return
		}
	}
}

// hasToken reports whether an Authorization field is of scheme Bearer, or a
// token without a scheme. Fields of other schemes are the application's.
func hasToken(authorization string) bool {
	authorization = strings.Trim(authorization, " \t")
	end := strings.IndexAny(authorization, " \t")
	return end < 0 || strings.EqualFold(authorization[:end], "Bearer")
}

// stripCookies removes Clerk's cookies from those that the upstream would
// receive: the renewed ones, where there are some, else what the client sent.
func (e *evaluation) stripCookies(d *Decision) {
	var fields []string
	switch i := slices.IndexFunc(d.SetHeaders, isCookie); {
	case i >= 0:
		fields = []string{d.SetHeaders[i].Value}
	case !containsName(d.RemoveHeaders, "Cookie"):
		for _, h := range e.request.Headers {
			if isCookie(h) {
				fields = append(fields, h.Value)
			}
		}
	}
	switch kept, changed := withoutClerkCookies(fields); {
	case !changed:
	case kept == "":
		d.removeUpstream("Cookie")
	default:
		d.setUpstream(Header{"Cookie", kept})
	}
}

func isCookie(h Header) bool { return strings.EqualFold(h.Name, "Cookie") }

// setUpstream sets a request header in place of every other edit of that name,
// in lists that are the decision's own.
func (d *Decision) setUpstream(h Header) {
	d.leaveUpstream(h.Name)
	d.SetHeaders = append(d.SetHeaders, h)
}

// removeUpstream removes a request header, likewise.
func (d *Decision) removeUpstream(name string) {
	d.leaveUpstream(name)
	d.RemoveHeaders = append(d.RemoveHeaders, name)
}

// leaveUpstream undoes every edit of a header.
func (d *Decision) leaveUpstream(name string) {
	d.SetHeaders = slices.DeleteFunc(d.SetHeaders, func(h Header) bool { return strings.EqualFold(h.Name, name) })
	d.RemoveHeaders = slices.DeleteFunc(d.RemoveHeaders, func(n string) bool { return strings.EqualFold(n, name) })
}
