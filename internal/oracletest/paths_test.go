package oracletest

import (
	"fmt"
	"strings"
)

// mutatePath writes a path as some server may read it all the same.
func (g *generator) mutatePath(path string) string {
	path, query, _ := strings.Cut(path, "?")
	if query != "" {
		query = "?" + query
	}
	return pick(g, pathMutations...)(g, path) + query
}

var pathMutations = []func(g *generator, path string) string{
	// Letter case.
	func(g *generator, path string) string { return strings.ToUpper(path) },
	func(g *generator, path string) string { return g.atLetter(path, strings.ToUpper) },
	// Escapes, once and twice, and bad ones.
	func(g *generator, path string) string { return g.atLetter(path, escape) },
	func(g *generator, path string) string { return g.atLetter(path, escape) },
	func(g *generator, path string) string {
		return g.atLetter(path, func(c string) string { return "%25" + escape(c)[1:] })
	},
	func(g *generator, path string) string {
		return g.atLetter(path, func(c string) string { return "%u00" + escape(c)[1:] })
	},
	func(g *generator, path string) string {
		return g.atLetter(path, func(c string) string { return strings.ToLower(escape(c)) })
	},
	func(g *generator, path string) string { return g.atLetter(path, fullWidth) },
	func(g *generator, path string) string {
		return g.atLetter(path, func(c string) string { return raw(fullWidth(c)) })
	},
	func(g *generator, path string) string { return g.atLetter(path, overlong) },
	func(g *generator, path string) string {
		return g.atLetter(path, func(c string) string {
			return c + pick(g, "%E2%80%8B", "%EF%BB%BF", "%00", "%20", "%09", "%0a", "%0d%0a", "%7f", "%C2%AD", "%CC%81")
		})
	},
	// Slashes.
	func(g *generator, path string) string {
		return g.atSlash(path, pick(g, "//", "///", "/./", "/%2e/", "/x/../", "/x/%2e%2e/", "/x/..;/", "/;/", "/;x=1/", "/.;/", "%2f", "%2F", "\\", "%5c", "/%2f", "%252f", "/\\", "\\/", "%ef%bc%8f", "/%20/", "/.//", "/x/.%2e/"))
	},
	func(g *generator, path string) string {
		return pick(g, "/", "//", "///", "/\\", "/%2f", "/%5c", "/.", "/./", "/../", "/..;/", "/%2e%2e/", "/;", "/%00", "/ ") + strings.TrimPrefix(path, "/")
	},
	func(g *generator, path string) string {
		return pick(g, "//app.test", "//admin.test", "//x", "/open/..", "/open/../open/..", "/assets/..", "/open/%2e%2e", "/open/..%2f..", "/assets/..;", "/open/x/../..", "/assets/%2e%2e%2f..", "/open\\..", "/open/..%5c..") + path
	},
	// What is behind the last segment.
	func(g *generator, path string) string {
		return path + pick(g, "/", "//", ".", "..", "/.", "/..", "/../", "/./", "%20", "%2e", "%20/", ";", ";x", ";x=1/y", "%3b", "%3bx", "%00", "%0a", "/%2e", "%2f", "/index.html", "/index.php", "/index.htm", "/default.aspx", "\\", "~", ":$DATA", "::$INDEX_ALLOCATION", "/%20", "+", "%09", "/*", "%c0%af", "#", "#x", "%23x", "%3f", "%3fx", "&x")
	},
	func(g *generator, path string) string {
		return path + pick(g, ".css", ".js", ".png", ".html", ".json", ".php", ".rsc", ".txt", ".ico", "/x.css", "/x.js", ";x.css", "%3bx.css", "/.css", "%00.css", "%0a.css", "%23.css", "%3f.css", "/..;/x.css", "/%2e%2e/x.css", "/.well-known/x.css", "\\x.css", "/x.css/..", "/users/x.css")
	},
	// What is before the first one.
	func(g *generator, path string) string {
		return pick(g, "/index.php", "/index.php/", "/INDEX.PHP", "/index.php%2f", "/index%2ephp", "/index.php/index.php", "/index.php/.", "/index.php;x", "/index.html", "/assets/x.css", "/assets/x.php", "/./index.php", "//index.php", "/x/../index.php") + path
	},
	func(g *generator, path string) string {
		return pick(g, "/fr", "/en", "/en-US", "/app", "/v1", "/v1", "/V1", "/v1/v1", "/v%31", "/v1/", "/api/..", "/_next/data/build", "/_next/data/build/fr", "/_next/static/..", "/_next/image/..", "/public", "/%66r") + path
	},
	func(g *generator, path string) string {
		return pick(g, "", "/app") + "/_next/data/" + pick(g, "build", "build", "development", "x") + pick(g, "", "", "/fr") + path + pick(g, ".json", ".json", "/index.json", ".json/", ".JSON")
	},
	func(g *generator, path string) string {
		return pick(g, "", "/app") + path + pick(g, ".rsc", ".segments/_tree.segment.rsc", "/_next/data/build/admin.json", "?_rsc=abc", ".prefetch.rsc", ".txt", ".action")
	},
	// Segments taken apart.
	func(g *generator, path string) string {
		segments := strings.Split(path, "/")
		i := g.IntN(len(segments))
		segments[i] += pick(g, ".", "%20", ";v=1", ";", "%3bv", ".html", "%2e", "..", "%00", "/.", "/x/..", "/x/%2e%2e", "%E2%80%8B", "?", "%3f")
		return strings.Join(segments, "/")
	},
	func(g *generator, path string) string {
		segments := strings.Split(path, "/")
		i := g.IntN(len(segments))
		segments[i] = pick(g, "", ".", "..", "x/..", "%2e%2e", "..;", "*", "{x}", ":slug", "[slug]", "%2a") + "/" + segments[i]
		return strings.Join(segments, "/")
	},
	// No path at all.
	func(g *generator, path string) string {
		return pick(g, "*", "", strings.TrimPrefix(path, "/"), "?"+path, "/?"+path, "/#"+path, "/%3f/.."+path, "/%23/.."+path)
	},
}

// atLetter changes one letter.
func (g *generator) atLetter(path string, change func(string) string) string {
	return g.at(path, func(c byte) bool { return 'a' <= c && c <= 'z' }, change)
}

// atSlash replaces one slash.
func (g *generator) atSlash(path, by string) string {
	return g.at(path, func(c byte) bool { return c == '/' }, func(string) string { return by })
}

func (g *generator) at(path string, is func(byte) bool, change func(string) string) string {
	var found []int
	for i := range len(path) {
		if is(path[i]) && (i == 0 || path[i-1] != '%') {
			found = append(found, i)
		}
	}
	if len(found) == 0 {
		return path
	}
	i := pick(g, found...)
	return path[:i] + change(path[i:i+1]) + path[i+1:]
}

// escape writes bytes as percent escapes.
func escape(text string) string {
	var b strings.Builder
	for i := range len(text) {
		fmt.Fprintf(&b, "%%%02X", text[i])
	}
	return b.String()
}

// raw writes percent escapes as bytes.
func raw(text string) string {
	var b strings.Builder
	for i := 0; i < len(text); i++ {
		var c byte
		if _, err := fmt.Sscanf(text[i:], "%%%02X", &c); err == nil {
			b.WriteByte(c)
			i += 2
			continue
		}
		b.WriteByte(text[i])
	}
	return b.String()
}

// fullWidth is the letter's compatibility form, escaped.
func fullWidth(letter string) string { return escape(string(rune(letter[0]) - '!' + '\uff01')) }

// overlong is the letter in two bytes, which is no UTF-8.
func overlong(letter string) string {
	return fmt.Sprintf("%%%02X%%%02X", 0xc0|letter[0]>>6, 0x80|letter[0]&0x3f)
}
