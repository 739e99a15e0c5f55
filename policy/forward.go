package policy

import (
	"net/url"
	"slices"
	"strings"
)

// forward adds to a decision that passes what authentication changed of the
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
