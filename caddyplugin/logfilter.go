package caddyplugin

import (
	"net/http"
	"net/url"
	"strings"

	"github.com/caddyserver/caddy/v2"
	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
	"github.com/caddyserver/caddy/v2/modules/caddyhttp"
	"github.com/caddyserver/caddy/v2/modules/logging"
	"go.uber.org/zap/zapcore"
)

func init() {
	caddy.RegisterModule(LogFilter{})
}

// redacted is what Caddy's own log writes in place of secrets.
const redacted = "REDACTED"

// hideLocation hides the parameters of a redirect that was written to w, which may be
// valid tokens, from Caddy's access log. The log reads the header map after the request
// has ended; the client got the header as it was before.
func hideLocation(w http.ResponseWriter, r *http.Request, status int) {
	location := w.Header().Get("Location")
	if !strings.Contains(location, "?") {
		return
	}
	recorder := recorderOf(w)
	if recorder == nil {
		return // there is no access log
	}
	if recorder.Status() == 0 {
		recorder.WriteHeader(status) // a handler in between delays it until there is a body
	}
	if r.ProtoMajor >= 3 { // which sends the header with the first bytes of the body
		_ = http.NewResponseController(recorder).Flush() // the client may be gone
	}
	w.Header().Set("Location", withoutValues(location))
}

// recorderOf returns the response recorder nearest to the connection, which is that of
// the access log; nil where there is none.
func recorderOf(w http.ResponseWriter) caddyhttp.ResponseRecorder {
	var nearest caddyhttp.ResponseRecorder
	for w != nil {
		if recorder, ok := w.(caddyhttp.ResponseRecorder); ok {
			nearest = recorder
		}
		wrapper, ok := w.(interface{ Unwrap() http.ResponseWriter })
		if !ok {
			break
		}
		w = wrapper.Unwrap()
	}
	return nearest
}

// withoutValues returns a URL without the values of its parameters.
func withoutValues(location string) string {
	return filterQuery(location, func(string) bool { return true })
}

// filterQuery returns a URL without its fragment, and with the values of the secret
// parameters, by their decoded names, redacted.
func filterQuery(location string, secret func(name string) bool) string {
	before, rest, _ := strings.Cut(location, "?")
	query, _, _ := strings.Cut(rest, "#")
	pairs := strings.Split(query, "&")
	for i, pair := range pairs {
		written, value, _ := strings.Cut(pair, "=")
		name, err := url.QueryUnescape(written)
		if value != "" && (err != nil || secret(name)) {
			pairs[i] = written + "=" + redacted
		}
	}
	if before == location {
		return location
	}
	return before + "?" + strings.Join(pairs, "&")
}

// secretParameter reports whether the parameter of that name may be one of Clerk's
// tokens, tickets or codes, by which a user can be signed in.
func secretParameter(name string) bool {
	for _, prefix := range []string{"__clerk_", "__session", "__client", "__dev_session", "_clerk_", "rotating_token", "clerk_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "token" || name == "code" || name == "ticket"
}

// LogFilter redacts Clerk's handshakes, tickets and tokens in the parameters of logged
// URLs: some of them may still be valid. It is a field filter of Caddy's `filter`
// encoder:
//
//	log {
//		format filter {
//			request>uri clerk
//			request>headers>Referer clerk
//		}
//	}
type LogFilter struct{}

// CaddyModule returns the Caddy module information.
func (LogFilter) CaddyModule() caddy.ModuleInfo {
	return caddy.ModuleInfo{
		ID:  "caddy.logging.encoders.filter.clerk",
		New: func() caddy.Module { return new(LogFilter) },
	}
}

// UnmarshalCaddyfile sets up the filter: it has no options.
func (LogFilter) UnmarshalCaddyfile(d *caddyfile.Dispenser) error {
	d.Next()
	if d.NextArg() {
		return d.ArgErr()
	}
	return nil
}

// Filter redacts one field: a URL, or a list of URLs.
func (LogFilter) Filter(field zapcore.Field) zapcore.Field {
	if values, ok := field.Interface.(caddyhttp.LoggableStringArray); ok {
		filtered := make(caddyhttp.LoggableStringArray, len(values))
		for i, value := range values {
			filtered[i] = hideSecrets(value)
		}
		field.Interface = filtered
		return field
	}
	field.String = hideSecrets(field.String)
	return field
}

// hideSecrets returns a URL with Clerk's parameters redacted, and with redirect_url,
// which is a URL that may contain them.
func hideSecrets(location string) string {
	return filterQuery(location, func(name string) bool { return secretParameter(name) || name == "redirect_url" })
}

// Interface guards
var (
	_ logging.LogFieldFilter = LogFilter{}
	_ caddyfile.Unmarshaler  = LogFilter{}
)
