package caddyplugin

import (
	"context"
	"maps"
	"net/http"
	"net/url"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
)

// withheldPath is the target that error routes see in place of that of a request that
// was denied, or that failed before a clerk_auth decided about it: so they cannot serve
// or forward it.
const withheldPath = "/__clerkgate/refused"

// withheldRequest is the original of a request whose target is withheld.
type withheldRequest struct {
	request *http.Request
	url     url.URL
	// mayRestore: no clerk_auth has decided about it yet, so that one in the error
	// routes may.
	mayRestore bool
}

// withheldKey is the context key of a withheldRequest.
type withheldKey struct{}

// aboutTarget are the header fields that describe the target or the body of the
// request, or would turn the connection into a tunnel.
var aboutTarget = []string{
	"Upgrade", "Connection", "Http2-Settings", ":protocol", "Te", "Trailer", "Expect", "Range", "If-Range", "If-Match", "If-None-Match",
	"If-Modified-Since", "If-Unmodified-Since", "Content-Length", "Content-Type", "Content-Encoding", "Content-Range", "Transfer-Encoding",
}

// withhold replaces target, method and body of a request.
func withhold(r *http.Request, mayRelease bool) *http.Request {
	kept := &withheldRequest{request: r, url: *r.URL, mayRestore: mayRelease}
	held := preview(r)
	*r.URL = *held.URL // shared with the placeholders
	held.URL = r.URL
	ctx := context.WithValue(held.Context(), withheldKey{}, kept)
	return held.WithContext(ctx)
}

// preview returns a request as error routes will see it once its target is withheld.
func preview(r *http.Request) *http.Request {
	target := &url.URL{Path: withheldPath}
	method := http.MethodGet
	if r.Method == http.MethodHead {
		method = http.MethodHead
	}
	original := http.Request{Method: method, RemoteAddr: r.RemoteAddr, RequestURI: withheldPath, URL: &url.URL{Path: withheldPath}}
	held := r.WithContext(context.WithValue(r.Context(), caddyhttp.OriginalRequestCtxKey, original))
	held.Method, held.URL, held.RequestURI = method, target, withheldPath
	held.Body, held.ContentLength, held.TransferEncoding, held.Trailer = http.NoBody, 0, nil, nil
	held.Header = maps.Clone(r.Header)
	for _, name := range aboutTarget {
		delete(held.Header, name)
	}
	return held
}

// restore returns the original of a withheld request that no clerk_auth has decided
// about, so that a clerk_auth in error routes decides about the original target. A
// request that was rewritten since stays as it is.
func restore(r *http.Request) *http.Request {
	kept, _ := r.Context().Value(withheldKey{}).(*withheldRequest)
	if kept == nil || !kept.mayRestore || r.URL.Path != withheldPath {
		return r
	}
	*r.URL = kept.url
	return kept.request
}
