package target

import (
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	"golang.org/x/text/unicode/norm"
)

// transforms are what upstreams do to a path before they route it, and which
// classes of characters it has where they do anything at all. What comes out as a
// known reading is that.
var transforms = []struct {
	where classes
	apply func(known Readings, path string) string
}{
	{percent, decodeReserved},
	{percent | semicolon, dropParameters},
	{percent | end, cutAtEncodedEnd},
	{slashes, mergeSlashes},
	{slashes, dropAuthority},
	{dot | space | dollar, trimSegments},
	{dot, dropScripts},
	{dot, followScript},
	{dot, cutAfterProgram},
	{parenthesis, dropCookieless},
	{dot, pageOfData},
	{wide, func(_ Readings, path string) string { return FoldUnicode(path) }},
}

// reserved are the characters whose escapes decodeURI leaves as written
// (ECMA-262 § 19.2.6.4).
const reserved = ";/?:@&=+$,#"

// decodeUnreserved decodes as JavaScript's decodeURI does: all but reserved.
func decodeUnreserved(known Readings, path string) string { return decodeIf(known, path, false) }

// decodeReserved decodes what decodeUnreserved left.
func decodeReserved(known Readings, path string) string { return decodeIf(known, path, true) }

func decodeIf(known Readings, path string, reservedToo bool) string {
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
	return known.text(b, path)
}

// dropParameters reads ";parameters" of segments away, as servlet containers
// do, also where the ";" is encoded.
func dropParameters(known Readings, path string) string {
	if !strings.Contains(path, ";") && !strings.Contains(path, "%3") {
		return path
	}
	return mapSegments(known, path, func(segment string) string {
		segment, _, _ = strings.Cut(segment, ";")
		for _, escape := range []string{"%3b", "%3B"} {
			segment, _, _ = strings.Cut(segment, escape)
		}
		return segment
	})
}

// cutAtEncodedEnd ends the path at an encoded "?" or "#".
func cutAtEncodedEnd(_ Readings, path string) string {
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
func mergeSlashes(known Readings, path string) string {
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
	return known.text(b, path)
}

// dropAuthority reads "//host/path" as an authority and a path. Further slashes
// before the host make no difference to URL parsers of the WHATWG kind.
func dropAuthority(_ Readings, path string) string {
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
func trimSegments(known Readings, path string) string {
	if !strings.ContainsAny(path, ". $") {
		return path
	}
	return mapSegments(known, path, func(segment string) string {
		name, _, stream := strings.Cut(segment, ":$")
		if stream {
			name = strings.TrimRight(name, ":")
		}
		return strings.TrimRight(name, ". ")
	})
}

// cookieless are the segments in which ASP.NET carries what a browser would not
// take as cookies: "/(S(id))".
var cookieless = regexp.MustCompile(`/\((?:[A-Za-z]\([^()/]*\))+\)`)

// dropCookieless reads such segments away.
func dropCookieless(_ Readings, path string) string {
	if !strings.Contains(path, "/(") {
		return path
	}
	return cookieless.ReplaceAllLiteralString(path, "")
}

// pageOfData reads the address of a page's data as the page. Frameworks that
// render a page also serve what it is rendered from, at an address of its own.
func pageOfData(_ Readings, path string) string {
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

// FoldUnicode drops invisible characters and maps compatibility forms (full
// width letters, dots and slashes) to the plain ones, as NFKC does; and what
// Windows takes for slashes, and the letters whose other case is an i.
func FoldUnicode(path string) string {
	if isASCII(path) {
		return path
	}
	return strings.Map(func(r rune) rune {
		if r < utf8.RuneSelf {
			return r
		}
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
func mapSegments(known Readings, path string, f func(string) string) string {
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
	return known.text(b, path)
}

// ordinaryPath is the length up to which rewriting a path takes no memory beside
// the result.
const ordinaryPath = 256

// text returns b as text: the path it was made from, or a reading that is known,
// where it is no other.
func (known Readings) text(b []byte, path string) string {
	if string(b) == path {
		return path
	}
	for _, reading := range known {
		if string(b) == reading {
			return reading
		}
	}
	return string(b)
}
