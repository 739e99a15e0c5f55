package policy

import (
	"slices"
	"strings"
)

// registeredMethods are the methods of the IANA registry (RFC 9110 § 16.1.1).
var registeredMethods = func() map[string]bool {
	set := map[string]bool{}
	for _, method := range strings.Fields(`ACL BASELINE-CONTROL BIND CHECKIN CHECKOUT CONNECT COPY DELETE GET HEAD LABEL LINK LOCK MERGE
		MKACTIVITY MKCALENDAR MKCOL MKREDIRECTREF MKWORKSPACE MOVE OPTIONS ORDERPATCH PATCH POST PRI PROPFIND PROPPATCH PUT QUERY REBIND
		REPORT SEARCH TRACE UNBIND UNCHECKOUT UNLINK UNLOCK UPDATE UPDATEREDIRECTREF VERSION-CONTROL`) {
		set[method] = true
	}
	return set
}()

// otherMethods are not registered, and yet spoken by caches and devices.
var otherMethods = strings.Fields("BAN M-SEARCH NOTIFY PURGE SOURCE SUBSCRIBE UNSUBSCRIBE")

// readMethod reads a method that somebody wrote in a policy, in any letter case. A
// rule for a method that does not exist would be for none.
func readMethod(text string) (method string, ok bool) {
	method = strings.ToUpper(text)
	return method, registeredMethods[method] || slices.Contains(otherMethods, method)
}

func suggestMethod(text string) string {
	switch strings.ToUpper(text) {
	case "*", "ALL", "ANY":
		return "leave the methods out to mean all of them"
	}
	if strings.ContainsAny(text, ", |") {
		return "write a list of methods"
	}
	return didYouMean(strings.ToUpper(text), "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT")
}

// checkMethod rejects methods that cannot be judged as what upstreams take them
// for. Methods are case-sensitive (RFC 9110 § 9.1), but many upstreams read "post"
// as POST: what only letter case tells from a registered one is refused, so that
// the others have one spelling. A CONNECT opens a tunnel, in which nothing is
// judged. A TRACE is answered with what was received (RFC 9110 § 9.3.8), and so
// would show the client what upstreams receive about it: identity, tokens,
// assertions. TRACK is an old name for it.
func checkMethod(method string) Reason {
	switch method {
	case "GET", "POST": // nearly all are
		return ""
	case "CONNECT":
		return ReasonMethodConnect
	case "TRACE", "TRACK":
		return ReasonMethodTrace
	}
	if !validHeaderName(method) || !registeredMethods[method] && registeredMethods[strings.ToUpper(method)] {
		return ReasonMethodMalformed
	}
	return ""
}

// protectedMethods are the methods that a rule protects that names some: a HEAD
// is answered as a GET would be (RFC 9110 § 9.3.2).
func protectedMethods(named []string) []string {
	if slices.Contains(named, "GET") && !slices.Contains(named, "HEAD") {
		return append(slices.Clone(named), "HEAD")
	}
	return named
}

// matchesMethod reports whether a rule for certain methods is for this one. An
// unknown method, too, is protected in every letter case.
func (m *matcher) matchesMethod(method string) bool {
	if len(m.methods) == 0 || slices.Contains(m.methods, method) {
		return true
	}
	return m.protects && !registeredMethods[method] && slices.ContainsFunc(m.methods, func(named string) bool { return strings.EqualFold(named, method) })
}
