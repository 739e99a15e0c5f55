package httpgate

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// Edit makes a decision's edits to the request that the next handler receives, in
// place: headers and trailers that the client may not send are removed in every
// spelling, the decision's own are set, and parameters that were for the gate alone
// leave the query. It replaces r.Body where the request has trailers.
//
// It changes r.Header, r.Trailer and r.URL, which the caller must own; see
// [Gate.Wrap] for a handler that leaves its request as it is.
func Edit(r *http.Request, d *policy.Decision) {
	editFields(r, d)
	if len(d.RemoveQuery) > 0 {
		r.URL.RawQuery = removeParameters(r.URL.RawQuery, d.RemoveQuery)
	}
}

// removeParameters drops parameters from a query and leaves the others as they
// are written.
func removeParameters(query string, names []string) string {
	return strings.Join(slices.DeleteFunc(strings.Split(query, "&"), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return slices.Contains(names, name)
	}), "&")
}

// editFields makes the policy's edits to the fields. Names compare without
// case, over the map's own keys: earlier handlers may have put in some that are
// not canonical.
func editFields(r *http.Request, d *policy.Decision) {
	edited := func(name string, _ []string) bool {
		same := func(other string) bool { return len(other) == len(name) && strings.EqualFold(other, name) }
		return slices.ContainsFunc(d.RemoveHeaders, same) ||
			slices.ContainsFunc(d.SetHeaders, func(h policy.Header) bool { return same(h.Name) })
	}
	maps.DeleteFunc(r.Header, edited)
	values := make([]string, len(d.SetHeaders))
	for i, field := range d.SetHeaders {
		values[i] = field.Value
		r.Header[field.Name] = values[i : i+1 : i+1]
	}
	if r.Trailer != nil {
		maps.DeleteFunc(r.Trailer, edited)
		r.Body = &announcedTrailers{ReadCloser: r.Body, trailer: r.Trailer, announced: maps.Clone(r.Trailer)}
	}
}

// announcedTrailers drops the trailers that were not announced, and so not
// judged. net/http puts all that come into the same map as the body ends.
type announcedTrailers struct {
	io.ReadCloser
	trailer, announced http.Header
}

// Read reads the body.
func (b *announcedTrailers) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err != nil {
		maps.DeleteFunc(b.trailer, func(name string, _ []string) bool {
			_, ok := b.announced[name]
			return !ok
		})
	}
	return n, err
}
