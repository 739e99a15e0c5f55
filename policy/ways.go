package policy

import (
	"regexp"
	"slices"
	"strings"
	"unicode"

	"golang.org/x/text/unicode/norm"
)

// waysOfReading are what upstreams do to a path before they route it.
var waysOfReading = []func(string) string{
	decodeReserved,
	dropParameters,
	cutAtEncodedEnd,
	mergeSlashes,
	dropAuthority,
	trimSegments,
	dropScripts,
	dropCookieless,
	pageOfData,
	foldUnicode,
}

// reserved are the characters whose escapes decodeURI leaves as written
// (ECMA-262 § 19.2.6.4).
const reserved = ";/?:@&=+$,#"

// decodeUnreserved decodes as JavaScript's decodeURI does: all but reserved.
func decodeUnreserved(path string) string { return decodeIf(path, false) }

// decodeReserved decodes what decodeUnreserved left.
func decodeReserved(path string) string { return decodeIf(path, true) }

func decodeIf(path string, reservedToo bool) string {
	if !strings.Contains(path, "%") {
		return path
	}
	var room [ordinaryPath]byte
	b := room[:0]
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) && isHex(path[i+1]) && isHex(path[i+2]) {
			if c := unhex(path[i+1])<<4 | unhex(path[i+2]); reservedToo || strings.IndexByte(reserved, c) < 0 {
				b = append(b, c)
				i += 2
				continue
			}
		}
		b = append(b, path[i])
	}
	return unlessSame(b, path)
}

// dropParameters reads ";parameters" of segments away, as servlet containers
// do, also where the ";" is encoded.
func dropParameters(path string) string {
	if !strings.Contains(path, ";") && !strings.Contains(path, "%3") {
		return path
	}
	return mapSegments(path, func(segment string) string {
		segment, _, _ = strings.Cut(segment, ";")
		if i := strings.Index(strings.ToLower(segment), "%3b"); i >= 0 {
			segment = segment[:i]
		}
		return segment
	})
}

// cutAtEncodedEnd ends the path at an encoded "?" or "#".
func cutAtEncodedEnd(path string) string {
	if i := strings.IndexAny(path, "?#"); i >= 0 {
		path = path[:i]
	}
	for _, escape := range []string{"%3f", "%3F", "%23"} {
		if i := strings.Index(path, escape); i >= 0 {
			path = path[:i]
		}
	}
	return path
}

// mergeSlashes makes one slash of many.
func mergeSlashes(path string) string {
	if !strings.Contains(path, "//") {
		return path
	}
	var room [ordinaryPath]byte
	b := room[:0]
	for i := range len(path) {
		if path[i] != '/' || i == 0 || path[i-1] != '/' {
			b = append(b, path[i])
		}
	}
	return unlessSame(b, path)
}

// dropAuthority reads "//host/path" as an authority and a path. Further slashes
// before the host make no difference to URL parsers of the WHATWG kind.
func dropAuthority(path string) string {
	if !strings.HasPrefix(path, "//") {
		return path
	}
	rest := strings.TrimLeft(path, "/")
	if i := strings.IndexByte(rest, '/'); i >= 0 {
		return rest[i:]
	}
	return "/"
}

// trimSegments drops dots and spaces from the ends of segments, and the streams
// of files (name::$DATA), as Windows file systems do.
func trimSegments(path string) string {
	if !strings.ContainsAny(path, ". $") {
		return path
	}
	return mapSegments(path, func(segment string) string {
		name, _, stream := strings.Cut(segment, ":$")
		if stream {
			name = strings.TrimRight(name, ":")
		}
		return strings.TrimRight(name, ". ")
	})
}

// script is how the scripts begin that route what follows them.
const script = "/index"

// dropScripts reads "/index.php/path" as "/path", as front controllers do.
func dropScripts(path string) string {
	if !strings.Contains(strings.ToLower(path), script+".") {
		return path
	}
	segments := strings.Split(path, "/")
	last := len(segments) - 1
	kept := slices.DeleteFunc(segments[:last:last], func(s string) bool {
		return len(s) >= len(script) && strings.EqualFold(s[:len(script)], script[1:]+".")
	})
	return strings.Join(append(kept, segments[last]), "/")
}

// cookieless are the segments in which ASP.NET carries what a browser would not
// take as cookies: "/(S(id))".
var cookieless = regexp.MustCompile(`/\((?:[A-Za-z]\([^()/]*\))+\)`)

// dropCookieless reads such segments away.
func dropCookieless(path string) string {
	if !strings.Contains(path, "/(") {
		return path
	}
	return cookieless.ReplaceAllLiteralString(path, "")
}

// pageOfData reads the address of a page's data as the page. Frameworks that
// render a page also serve what it is rendered from, at an address of its own.
func pageOfData(path string) string {
	if !strings.HasSuffix(path, ".json") {
		return path
	}
	if base, rest, ok := strings.Cut(path, "/_next/data/"); ok {
		if _, page, ok := strings.Cut(strings.TrimSuffix(rest, ".json"), "/"); ok {
			return base + "/" + indexPage(page)
		}
	}
	if base, page, ok := strings.Cut(path, "/page-data/"); ok {
		if page, ok = strings.CutSuffix(page, "/page-data.json"); ok {
			return base + "/" + indexPage(page)
		}
	}
	for _, data := range []string{"/__data.json", ".html__data.json", "/_payload.json"} {
		if page, ok := strings.CutSuffix(path, data); ok {
			return page
		}
	}
	return path
}

// indexPage names the page whose data is called index.
func indexPage(page string) string {
	if page == "index" {
		return ""
	}
	return strings.TrimPrefix(page, "index/")
}

// maxUnicodePath bounds a decoded path with letters outside ASCII, in bytes:
// folding may make eleven times as much of it.
const maxUnicodePath = 2 << 10

// foldUnicode drops invisible characters and maps compatibility forms (full
// width letters, dots and slashes) to the plain ones, as NFKC does; and what
// Windows takes for slashes, and the letters whose other case is an i.
func foldUnicode(path string) string {
	if isASCII(path) {
		return path
	}
	return strings.Map(func(r rune) rune {
		switch r {
		case '\u2044', '\u2215', '\u29f8':
			return '/'
		case '\u2216', '\u29f5':
			return '\\'
		case '\u0130', '\u0131':
			return 'i'
		case '\u1680': // the one space that NFKC leaves
			return ' '
		}
		if unicode.In(r, unicode.Cf, unicode.Other_Default_Ignorable_Code_Point, unicode.Variation_Selector) {
			return -1
		}
		return r
	}, norm.NFKC.String(path))
}

// mapSegments applies f, which only shortens, to every segment.
func mapSegments(path string, f func(string) string) string {
	var room [ordinaryPath]byte
	b := room[:0]
	for rest, more := path, true; more; {
		var segment string
		segment, rest, more = strings.Cut(rest, "/")
		b = append(b, f(segment)...)
		if more {
			b = append(b, '/')
		}
	}
	return unlessSame(b, path)
}

// ordinaryPath is the length up to which rewriting a path takes no memory beside
// the result.
const ordinaryPath = 256

// unlessSame returns b as text, or the text itself where b is no other.
func unlessSame(b []byte, text string) string {
	if string(b) == text {
		return text
	}
	return string(b)
}
