package target

import (
	"slices"
	"strings"
)

// MaxLocale bounds the length of a locale, in bytes.
const MaxLocale = 35

// Mount is what an application takes off a path before it routes it: the path that it
// is mounted at, and the locale. Next.js calls them basePath and i18n, and its
// matchers, Clerk's among them, see paths without either. nil takes nothing off.
type Mount struct {
	// Base begins with a slash and has none at its end; "" for none.
	Base string
	// Locales are in lower case.
	Locales []string
}

// rest returns what the application routes of a path, as Next.js finds it
// (getNextPathnameInfo): as it is written, the base path once and in its letter case,
// then one locale, in any. A page's data has the locale within its address. based
// reports whether the base path was there.
func (m *Mount) rest(path string) (rest string, based bool) {
	rest = path
	if m.Base != "" {
		below, ok := strings.CutPrefix(path, m.Base)
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
func (m *Mount) ways(based bool) func(path string, add func(string)) {
	return func(path string, add func(string)) {
		if below, ok := m.belowLocale(path); ok {
			add(below)
		}
		if based || m.Base == "" || len(path) < len(m.Base) || !strings.EqualFold(path[:len(m.Base)], m.Base) {
			return
		}
		below := path[len(m.Base):]
		if below != "" && below[0] != '/' {
			return
		}
		add(orRoot(below))
		if page, ok := m.belowLocale(below); ok {
			add(path[:len(m.Base)] + page)
		}
	}
}

// belowLocale returns a path without the locale that it begins with.
func (m *Mount) belowLocale(path string) (below string, ok bool) {
	if path == "" {
		return "", false
	}
	locale, _, more := strings.Cut(path[1:], "/")
	if locale == "" || len(locale) > MaxLocale || !slices.ContainsFunc(m.Locales, func(l string) bool { return strings.EqualFold(l, locale) }) {
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
