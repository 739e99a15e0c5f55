package policy

import (
	"fmt"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/target"
)

// maxLocales bounds how many locales a site may have, and maxBasePath the length of
// the base path, in bytes. Next.js warns of more than a hundred locales.
const (
	maxLocales  = 100
	maxBasePath = 256
)

func compileMount(config *Config) (*target.Mount, []error) {
	var errs []error
	fail := func(path, suggestion, format string, args ...any) {
		errs = append(errs, &ConfigError{Path: path, Msg: fmt.Sprintf(format, args...), Suggestion: suggestion})
	}
	if base := config.BasePath; base != "" {
		if wrong, suggestion := wrongBasePath(base); wrong != "" {
			fail("base_path", suggestion, "%q %s", base, wrong)
		}
	}
	if len(config.Locales) > maxLocales {
		fail("locales", "", "there are more than %d locales", maxLocales)
	}
	m := &target.Mount{Base: config.BasePath}
	for i, text := range config.Locales {
		path, lower := fmt.Sprintf("locales[%d]", i), strings.ToLower(text)
		switch {
		case text == "" || len(text) > target.MaxLocale || strings.Trim(lower, tagBytes) != "":
			fail(path, "write en or pt-BR", "%q is not a locale", text)
		case slices.Contains(m.Locales, lower):
			fail(path, "leave it out: letter case makes no difference", "%q is there already", text)
		}
		m.Locales = append(m.Locales, lower)
	}
	if m.Base == "" && len(m.Locales) == 0 {
		m = nil
	}
	return m, errs
}

// tagBytes are what locales are made of, and baseBytes what base paths are.
const (
	tagBytes  = "abcdefghijklmnopqrstuvwxyz0123456789-_"
	baseBytes = tagBytes + "ABCDEFGHIJKLMNOPQRSTUVWXYZ/.~"
)

func wrongBasePath(base string) (wrong, suggestion string) {
	switch {
	case base == "/":
		return "takes nothing off", "leave it out"
	case base[0] != '/':
		return "does not begin with a slash", "write it as in next.config.js, such as /shop"
	case strings.HasSuffix(base, "/"):
		return "ends in a slash", "leave the last slash out"
	case len(base) > maxBasePath:
		return fmt.Sprintf("is longer than %d bytes", maxBasePath), ""
	case strings.Trim(base, baseBytes) != "":
		return "is not plain text", "write it as in next.config.js, such as /shop: it is no pattern"
	case strings.Contains(base, "//") || target.HasDotSegment(base):
		return "has a segment that is no name", ""
	}
	return "", ""
}

// mountPrefix returns the prefix that a pattern begins with and the setting that
// removes it; "" for none.
func mountPrefix(m *target.Mount, pattern string) (prefix, setting string) {
	if m == nil {
		return "", ""
	}
	begins := func(with string) bool {
		return len(pattern) >= len(with) && strings.EqualFold(pattern[:len(with)], with) &&
			(len(pattern) == len(with) || pattern[len(with)] == '/' || strings.IndexByte(baseBytes, pattern[len(with)]) < 0)
	}
	if m.Base != "" && begins(m.Base) {
		return m.Base, "base_path"
	}
	for _, locale := range append([]string{":locale", ":lang", ":lng"}, m.Locales...) {
		if len(m.Locales) > 0 && begins("/"+locale) {
			return pattern[:1+len(locale)], "locales"
		}
	}
	return "", ""
}
