package policy

import (
	"fmt"
	"slices"
	"strings"
)

// maxLocales bounds how many locales a site may have, maxBasePath and maxLocale the
// length of each text, in bytes. Next.js warns of more than a hundred locales.
const (
	maxLocales  = 100
	maxBasePath = 256
	maxLocale   = 35
)

// mount is what an application takes off a path before it routes it: the path that it
// is mounted at, and the locale. Next.js calls them basePath and i18n, and its
// matchers, Clerk's among them, see paths without either. nil takes nothing off.
type mount struct {
	// base begins with a slash and has none at its end; "" for none.
	base string
	// locales are in lower case.
	locales []string
}

func compileMount(config *Config) (*mount, []error) {
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
	m := &mount{base: config.BasePath}
	for i, text := range config.Locales {
		path, lower := fmt.Sprintf("locales[%d]", i), strings.ToLower(text)
		switch {
		case text == "" || len(text) > maxLocale || strings.Trim(lower, tagBytes) != "":
			fail(path, "write en or pt-BR", "%q is not a locale", text)
		case slices.Contains(m.locales, lower):
			fail(path, "leave it out: letter case makes no difference", "%q is there already", text)
		}
		m.locales = append(m.locales, lower)
	}
	if m.base == "" && len(m.locales) == 0 {
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
	case strings.Contains(base, "//") || hasDotSegment(base):
		return "has a segment that is no name", ""
	}
	return "", ""
}

// read has a target be read as the application reads it, which decides, and as it
// stands, for what guards that: see [Policy.judgeWhole].
func (m *mount) read(t *target) (reason Reason) {
	if m == nil {
		return ""
	}
	rest, based := m.rest(t.path)
	if t.readings, reason = readPath(rest, m.ways(based)); reason != "" || rest == t.path {
		return reason
	}
	whole, reason := readPath(t.path, m.ways(false))
	t.whole = slices.DeleteFunc(whole, func(reading string) bool { return slices.Contains(t.readings, reading) })
	return reason
}

// rest returns what the application routes of a path, as Next.js finds it
// (getNextPathnameInfo): as it is written, the base path once and in its letter case,
// then one locale, in any. A page's data has the locale within its address. based
// reports whether the base path was there.
func (m *mount) rest(path string) (rest string, based bool) {
	rest = path
	if m.base != "" {
		below, ok := strings.CutPrefix(path, m.base)
		if !ok || below != "" && below[0] != '/' {
			return path, false // not a path of the application
		}
		rest, based = orRoot(below), true
	}
	if data, ok := strings.CutPrefix(rest, nextData); ok && strings.HasSuffix(data, ".json") {
		if build, page, ok := strings.Cut(strings.TrimSuffix(data, ".json"), "/"); ok {
			if below, ok := m.belowLocale("/" + page); ok {
				if below == "/" {
					below = "/index"
				}
				return nextData + build + below + ".json", based
			}
		}
		return rest, based
	}
	if below, ok := m.belowLocale(rest); ok {
		rest = below
	}
	return rest, based
}

// nextData is where Next.js has the data of pages.
const nextData = "/_next/data/"

// ways are the further ways to read a path: without what stands for a prefix in
// another spelling or order, or once more. The base path that was there counts once,
// since an application may well have a page of that name.
func (m *mount) ways(based bool) func(path string, add func(string)) {
	return func(path string, add func(string)) {
		if below, ok := m.belowLocale(path); ok {
			add(below)
		}
		if based || m.base == "" || len(path) < len(m.base) || !strings.EqualFold(path[:len(m.base)], m.base) {
			return
		}
		below := path[len(m.base):]
		if below != "" && below[0] != '/' {
			return
		}
		add(orRoot(below))
		if page, ok := m.belowLocale(below); ok {
			add(path[:len(m.base)] + page)
		}
	}
}

// belowLocale returns a path without the locale that it begins with.
func (m *mount) belowLocale(path string) (below string, ok bool) {
	if path == "" {
		return "", false
	}
	locale, _, more := strings.Cut(path[1:], "/")
	if locale == "" || len(locale) > maxLocale || !slices.ContainsFunc(m.locales, func(l string) bool { return strings.EqualFold(l, locale) }) {
		return "", false
	}
	if !more {
		return "/", true
	}
	return path[1+len(locale):], true
}

// orRoot is a path that may have nothing left.
func orRoot(path string) string {
	if path == "" {
		return "/"
	}
	return path
}

// written returns the prefix that a pattern begins with and the setting that takes
// it off; "" for none.
func (m *mount) written(pattern string) (prefix, setting string) {
	if m == nil {
		return "", ""
	}
	begins := func(with string) bool {
		return len(pattern) >= len(with) && strings.EqualFold(pattern[:len(with)], with) &&
			(len(pattern) == len(with) || pattern[len(with)] == '/' || strings.IndexByte(baseBytes, pattern[len(with)]) < 0)
	}
	if m.base != "" && begins(m.base) {
		return m.base, "base_path"
	}
	for _, locale := range append([]string{":locale", ":lang", ":lng"}, m.locales...) {
		if len(m.locales) > 0 && begins("/"+locale) {
			return pattern[:1+len(locale)], "locales"
		}
	}
	return "", ""
}
