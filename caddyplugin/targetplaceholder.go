package caddyplugin

import (
	"net/http"
	"net/url"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/policy"
)

// Error routes serve a page in place of what was denied. Where they make its path from
// placeholders, these may contain the target of the denied request: the original
// target, or a part of it that was stored before. The former is an error when the
// configuration is loaded. The latter is a warning, since a page may depend on the
// target; a request for which the placeholders would lead to the target is answered
// without the error routes.

// placeholder matches the placeholders in a text, which may be JSON.
var placeholder = regexp.MustCompile(`\{[^{}"\s]+\}`)

// originalTarget is the prefix of the placeholders of the target as the client sent it.
const originalTarget = "{http.request.orig_"

// withoutTarget are the prefixes of the placeholders that contain nothing of the target
// of a request that is withheld.
var withoutTarget = []string{
	"{http.error.", "{http.request.uri", "{http.request.method}", "{http.request.host", "{http.request.port}", "{http.request.scheme}", "{http.request.proto}",
	"{http.request.uuid}", "{http.reverse_proxy.", "{http.clerk.reason}", "{http.clerk.outcome}", "{http.vars.root}", "{env.", "{system.", "{time.", "{file.", "{args[",
}

// targetPlaceholder returns the first placeholder of a text that may contain the target
// of a withheld request, or "".
func targetPlaceholder(text string) string {
	for _, name := range placeholder.FindAllString(text, -1) {
		if !slices.ContainsFunc(withoutTarget, func(start string) bool { return strings.HasPrefix(name, start) }) {
			return name
		}
	}
	return ""
}

// storesTarget reports whether a matcher or handler stores the original target in
// other placeholders.
func storesTarget(module, text string) bool {
	return (module == "vars" || module == "map" || strings.HasSuffix(module, "_regexp")) && strings.Contains(text, originalTarget)
}

// checkTargetPlaceholder reports error routes that may serve or forward the target of a
// denied request, by a placeholder.
func (w *walk) checkTargetPlaceholder(name, by string, s state) {
	switch {
	case name == "" || !w.inErrors || !s.unprotected:
	case w.targetStored || strings.HasPrefix(name, originalTarget):
		w.found.errorf("%s: error routes pass the denied request to %s, by %s: name a page there, as in `rewrite * /{err.status_code}.html`", w.name, by, name)
	default:
		w.found.warnf(policy.WarnCaddyErrorRoutes, "%s: error routes may pass the denied request to %s, by %s: name a page there, as in `rewrite * /{err.status_code}.html`", w.name, by, name)
	}
}

// foundFile is the prefix of the placeholders of a file that a matcher found; the texts
// of that matcher are checked by themselves.
const foundFile = "{http.matchers.file."

// targetPlaceholder is that of a handler's text, without the file that a matcher of its
// own route found.
func (r *route) targetPlaceholder(s *step) string {
	if slices.Contains(r.matchers, "file") {
		return targetPlaceholder(strings.ReplaceAll(s.names, foundFile, "{http.request.uri."))
	}
	return targetPlaceholder(s.names)
}

// textsWithTarget returns the texts from which routes, and those that they invoke, make
// the paths that they serve, where these may contain the target of a withheld request.
func textsWithTarget(routes []route, named map[string][]route) []string {
	var texts []string
	seen := map[string]bool{}
	var visit func(routes []route)
	visit = func(routes []route) {
		for _, r := range routes {
			if targetPlaceholder(r.tries) != "" {
				texts = append(texts, r.tries)
			}
			for _, s := range r.handlers {
				if r.targetPlaceholder(&s) != "" {
					texts = append(texts, s.names)
				}
				visit(s.routes)
				visit(s.errors)
				if s.module == "invoke" && !seen[s.named] {
					seen[s.named] = true
					visit(named[s.named])
				}
			}
		}
	}
	visit(routes)
	return texts
}

// namesTarget reports whether one of the texts, with its placeholders replaced for this
// request, contains the last segment of the path that was requested. The root has no
// segment, so every text contains it.
func namesTarget(r *http.Request, asked *url.URL, texts []string) bool {
	repl, _ := r.Context().Value(caddy.ReplacerCtxKey).(*caddy.Replacer)
	if len(texts) == 0 || repl == nil {
		return len(texts) > 0
	}
	names := func(text, target string) bool {
		name := path.Base(path.Clean("/" + target))
		if stem := strings.TrimSuffix(name, path.Ext(name)); stem != "" {
			name = stem
		}
		return strings.Contains(strings.ToLower(text), strings.ToLower(name))
	}
	return slices.ContainsFunc(texts, func(text string) bool {
		text = placeholder.ReplaceAllStringFunc(text, func(name string) string {
			value, _ := repl.GetString(strings.Trim(name, "{}"))
			return value
		})
		return names(text, asked.Path) || names(text, asked.EscapedPath())
	})
}

// pathOf returns a URI without its query.
func pathOf(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return path
}
