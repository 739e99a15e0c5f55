package caddyplugin

import (
	"net/http"
	"path"
	"strings"

	"github.com/caddyserver/caddy/v2/modules/caddyhttp"

	"github.com/clerkgate/clerkgate/policy"
)

// mayMatch reports whether the matchers match the request, or would match it with
// another spelling of its path that an upstream may treat as the same: so no spelling
// of a protected path avoids clerk_auth. An error of a matcher is a match.
func mayMatch(matchers caddyhttp.MatcherSets, r *http.Request, reading string) bool {
	if match, err := matchers.AnyMatchWithError(r); match || err != nil {
		return true
	}
	written := *r.URL
	defer func() { *r.URL = written }() // in place, since placeholders read it as well
	for _, same := range []string{
		reading, strings.ToLower(reading), reading + "/", strings.TrimRight(reading, "/"), strings.TrimSuffix(reading, path.Ext(reading)),
	} {
		if same == "" {
			same = "/"
		}
		r.URL.Path, r.URL.RawPath = same, ""
		if match, err := matchers.AnyMatchWithError(r); match || err != nil {
			return true
		}
	}
	return false
}

// isUnjudged reports whether a request is allowed because no matcher matched it.
func isUnjudged(d *policy.Decision) bool {
	return d.Reason == policy.ReasonBypass && d.Rule == policy.Unjudged
}
