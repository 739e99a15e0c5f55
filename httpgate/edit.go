package httpgate

import (
	"io"
	"maps"
	"net/http"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// Edit applies a decision's edits to the request that the next handler receives, in
// place: it removes headers and trailers that the client may not send, in every
// spelling, sets the decision's headers, and removes query parameters that were for
// clerkgate alone. It replaces r.Body if the request has trailers.
//
// It changes r.Header, r.Trailer and r.URL, which the caller must own; the handler of
// [Gate.Wrap] does not change the original request.
func Edit(r *http.Request, d *policy.Decision) {
	editFields(r, d)
	if len(d.RemoveQuery) > 0 {
		r.URL.RawQuery = d.KeptQuery(r.URL.RawQuery)
	}
}

// editFields applies the decision's edits to header and trailer fields. It compares names
// without case, and with every key of the map: earlier handlers may have added keys
// that are not canonical.
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

// announcedTrailers is a body that, at its end, removes the trailers that were not
// announced, about which the policy has not decided: net/http adds all that arrive.
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
