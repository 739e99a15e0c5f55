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

// Error routes choose what they serve in place of what was refused. Where they name
// it by placeholders, these may hold what was asked for: the original target, or
// what was taken from it before. The former is an error when the configuration is
// loaded. For the latter there is a warning, since a page may well depend on what
// was asked for; and a request for which it comes to the same thing is answered
// without the error routes.

// placeholder finds those of a text, which may be JSON.
var placeholder = regexp.MustCompile(`\{[^{}"\s]+\}`)

// originalTarget begins the placeholders that hold the target as the client sent it.
const originalTarget = "{http.request.orig_"

// unrelated begin the placeholders that hold nothing of what was asked for, once a
// request is held back.
var unrelated = []string{
	"{http.error.", "{http.request.uri", "{http.request.method}", "{http.request.host", "{http.request.port}", "{http.request.scheme}", "{http.request.proto}",
	"{http.request.uuid}", "{http.reverse_proxy.", "{http.clerk.reason}", "{http.clerk.outcome}", "{http.vars.root}", "{env.", "{system.", "{time.", "{file.", "{args[",
}

// recalls returns the first placeholder of a text that may hold what was asked for.
func recalls(text string) string {
	for _, name := range placeholder.FindAllString(text, -1) {
		if !slices.ContainsFunc(unrelated, func(start string) bool { return strings.HasPrefix(name, start) }) {
			return name
		}
	}
	return ""
}

// fills reports whether a matcher or handler puts the original target into
// placeholders, for others to use.
func fills(module, text string) bool {
	return (module == "vars" || module == "map" || strings.HasSuffix(module, "_regexp")) && strings.Contains(text, originalTarget)
}

// checkRecalled finds what error routes bring back that was refused.
func (w *walk) checkRecalled(name, by string, s state) {
	switch {
	case name == "" || !w.inErrors || !s.open:
	case w.filled || strings.HasPrefix(name, originalTarget):
		w.found.errorf("%s: error routes hand what was refused to %s, by %s: name a page there, as in `rewrite * /{err.status_code}.html`", w.name, by, name)
	default:
		w.found.warnf(policy.WarnCaddyErrorRoutes, "%s: error routes may hand what was refused to %s, by %s: name a page there, as in `rewrite * /{err.status_code}.html`", w.name, by, name)
	}
}

// foundFile begins the placeholders of a file that a matcher found, by texts that are
// checked by themselves.
const foundFile = "{http.matchers.file."

// recallsBeside is what a handler recalls, but for what its own route found.
func (r *route) recallsBeside(s *step) string {
	if slices.Contains(r.matchers, "file") {
		return recalls(strings.ReplaceAll(s.names, foundFile, "{http.request.uri."))
	}
	return recalls(s.names)
}

// recallingTexts are the texts by which routes, and those that they invoke, name what
// they serve, where those may recall what was asked for.
func recallingTexts(routes []route, named map[string][]route) []string {
	var texts []string
	seen := map[string]bool{}
	var visit func(routes []route)
	visit = func(routes []route) {
		for _, r := range routes {
			if recalls(r.tries) != "" {
				texts = append(texts, r.tries)
			}
			for _, s := range r.handlers {
				if r.recallsBeside(&s) != "" {
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

// recalled reports whether one of the texts names for this request what was asked
// for, as far as the last name in its path tells. Of the root there is none, and so
// it is.
func recalled(r *http.Request, asked *url.URL, texts []string) bool {
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

// pathOf is what stands before the query.
func pathOf(uri string) string {
	path, _, _ := strings.Cut(uri, "?")
	return path
}
