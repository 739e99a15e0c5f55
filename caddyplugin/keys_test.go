package caddyplugin

import (
	"cmp"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// wordless are the keys of the document that no word of their own stands for: the
// arguments of other words say what they do.
var wordless = []string{
	"default.access", "default.limits", // default protected limits per-ip
	"upstream_token.template", "upstream_token.header", // upstream_token hasura X-Token
	"clerk.organization_sync.organization", "clerk.organization_sync.personal", // organization_sync organization /orgs/:slug
	"redis.sentinel.master", "redis.sentinel.username", "redis.sentinel.password", // sentinel main user password
	"limits.limit", "limits.window", "limits.key", // limit api 10 per 1s by ip
	"rules.name",                                                       // rule api
	"rules.require.organization.id", "rules.require.organization.slug", // organization slug acme
	"rules.freshness.reverification.preset", "rules.freshness.reverification.level", "rules.freshness.reverification.after", // reverification first_factor 10m
	"rules.on_forbidden.status", "rules.on_forbidden.redirect", // on_forbidden status 404
	"rules.upstream_token.template", "rules.upstream_token.header",
}

// Every key of the document can be said in a Caddyfile.
func TestEveryKeyOfTheDocumentHasAWord(t *testing.T) {
	t.Parallel()
	known := map[string]bool{}
	for path, w := range map[string]subdirectives{
		"":            (&reader{Handler: new(Handler), places: places{}}).subdirectives(),
		"redis.":      redisSubdirectives(new(setup.Redis)),
		"redis.tls.":  tlsSubdirectives(new(redisclient.TLS)),
		"revocation.": revocationSubdirectives(new(setup.Revocation)),
		"assertion.":  assertionSubdirectives(new(policy.Assertion)),
		"limits.":     limitSubdirectives(new(policy.Limit)),
		"rules.":      ruleSubdirectives(new(policy.Rule), new(policy.Requirement), new(policy.Freshness)),
	} {
		for name, word := range w {
			if word.key != unrecorded {
				known[path+cmp.Or(word.key, name)] = true
			}
		}
	}
	keys := keysOf(reflect.TypeFor[setup.Config](), "", nil)
	for _, key := range keys {
		if !known[key] && !slices.Contains(wordless, key) {
			t.Errorf("%s has no word in a Caddyfile", key)
		}
	}
	for _, key := range wordless {
		if known[key] || !slices.Contains(keys, key) {
			t.Errorf("%s is listed as having no word: it has one, or there is no such key", key)
		}
	}
}

// keysOf are the keys of a type of the document that hold a value, by their paths
// without indices and names.
func keysOf(t reflect.Type, path string, within []reflect.Type) []string {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice || t.Kind() == reflect.Map {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct || slices.Contains(within, t) {
		return []string{strings.TrimSuffix(path, ".")}
	}
	var keys []string
	for i := range t.NumField() {
		field := t.Field(i)
		name, _, _ := strings.Cut(field.Tag.Get("json"), ",")
		switch {
		case field.Anonymous && name == "":
			keys = append(keys, keysOf(field.Type, path, within)...)
		case field.IsExported() && name != "-":
			keys = append(keys, keysOf(field.Type, path+name+".", append(within, t))...)
		}
	}
	return keys
}
