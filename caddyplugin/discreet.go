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

// redacted is what Caddy's own log writes in the place of secrets.
const redacted = "REDACTED"

// hideLocation keeps the parameters of a redirect that was written to w, which
// may be tokens that hold, from Caddy's access log: that reads the header map once
// the request is over. What goes over the wire was taken from it before.
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
		recorder.WriteHeader(status) // something in between was waiting for a body
	}
	if r.ProtoMajor >= 3 { // which writes the fields with the first bytes of the body
		_ = http.NewResponseController(recorder).Flush() // a client that is gone has no use for it
	}
	w.Header().Set("Location", withoutValues(location))
}

// recorderOf is the recorder nearest to the connection, which is that of the
// access log; nil for none.
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

// withoutValues writes a URL without the values of its parameters.
func withoutValues(location string) string {
	return filterQuery(location, func(string) bool { return true })
}

// filterQuery writes a URL without the values of the parameters that are secret,
// by their decoded names, and without its fragment.
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

// secretParameter reports whether a parameter of Clerk's may sign somebody in.
func secretParameter(name string) bool {
	for _, prefix := range []string{"__clerk_", "__session", "__client", "__dev_session", "_clerk_", "rotating_token", "clerk_"} {
		if strings.HasPrefix(name, prefix) {
			return true
		}
	}
	return name == "token" || name == "code" || name == "ticket"
}

// LogFilter writes URLs into a log without what Clerk puts into their parameters:
// handshakes, tickets and tokens that may still hold. It is a field filter of
// Caddy's `filter` encoder:
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

// Filter writes one field.
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

// hideSecrets writes a URL without Clerk's parameters, also where they are in a
// URL that is a parameter itself.
func hideSecrets(location string) string {
	return filterQuery(location, func(name string) bool { return secretParameter(name) || name == "redirect_url" })
}

// Interface guards
var (
	_ logging.LogFieldFilter = LogFilter{}
	_ caddyfile.Unmarshaler  = LogFilter{}
)
