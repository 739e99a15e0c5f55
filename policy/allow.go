package policy

import (
	"net/url"
	"slices"
	"strings"
)

// allow forwards the request with the identity that was established.
func (e *evaluation) allow(reason Reason) Decision {
	d := e.common(reason)
	d.Outcome = Allow
	if e.request.Unseen {
		d.SetHeaders, d.RemoveHeaders = e.policy.headers.editsUnseen(e.principal, e.notForwarded(true), e.facts.isWebSocket(e.request.Method))
	} else {
		d.SetHeaders, d.RemoveHeaders = e.policy.headers.edits(e.principal, e.notForwarded(true))
	}
	if reason != ReasonShadow {
		d.ResponseHeaders = e.state.Headers
		e.forward(&d)
	}
	e.substitute(&d)
	if advertised := limitFields(e.limits, false); len(advertised) > 0 {
		d.ResponseHeaders = append(slices.Clip(d.ResponseHeaders), advertised...)
	}
	return d
}

// notForwarded lists the fields of the request that do not go on: those that
// clients may not send, and an Upgrade, unless it is allowed and is to a WebSocket.
// Where the request was denied before its fields were all read, they are read again.
func (e *evaluation) notForwarded(passes bool) []string {
	switch {
	case e.target == nil:
		return e.policy.headers.droppedOf(e.request.Headers)
	case e.facts.upgrades == 0, passes && e.facts.isWebSocket(e.request.Method):
		return e.facts.dropped
	}
	return append(slices.Clip(e.facts.dropped), upgradeHeader, connectionHeader) // which says that there is an Upgrade
}

// leavesTunnel reports whether the proxy would go on with a change of protocol
// although its fields are removed.
func (e *evaluation) leavesTunnel() bool {
	if !e.request.UpgradeStands {
		return false
	}
	if e.target == nil { // the request was refused before all fields were read
		return slices.ContainsFunc(e.request.Headers, func(h Header) bool { return strings.EqualFold(h.Name, upgradeHeader) })
	}
	return e.facts.upgrades > 0 && !e.facts.isWebSocket(e.request.Method)
}

// keepsReserved reports whether the proxy would forward a field that does not go on,
// since it removes none but those that decisions set.
func (e *evaluation) keepsReserved() bool {
	return e.request.FieldsStand && slices.ContainsFunc(e.notForwarded(true), func(name string) bool {
		return !containsName(e.policy.headers.names, name)
	})
}

// forward adds to a decision that allows what authentication changed of the
// request: see [Forward].
func (e *evaluation) forward(d *Decision) {
	f := e.state.Forward
	if f == nil {
		return
	}
	if f.Cookie == "" {
		d.RemoveHeaders = append(slices.Clip(d.RemoveHeaders), "Cookie")
	} else {
		d.SetHeaders = append(slices.Clip(d.SetHeaders), Header{"Cookie", f.Cookie})
	}
	d.RemoveQuery = spellings(e.target.Query, f.RemoveQuery)
}

// spellings lists the names in a query that decode to one of the given, as they
// are written there: proxies compare names without decoding.
func spellings(query string, names []string) []string {
	var found []string
	for pair := range strings.SplitSeq(query, "&") {
		written, _, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(written)
		if err == nil && slices.Contains(names, name) && !slices.Contains(found, written) {
			found = append(found, written)
		}
	}
	return found
}
