package target

import (
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
)

func TestPlainPathsHaveOneReading(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"/", "/a", "/a/b/c", "/a/", "/A-b_c~d", "/@user", "/a.b", "/a.b.c/d.tar.gz", "/.well-known/x", "/v1/items:cancel",
		"/a=b&c,d+e!f*'g'", "/indexes.d", "/my-index.html",
	} {
		if !plainPath(path) {
			t.Errorf("%q is not plain", path)
		}
		if got, err := readPath(path, nil); err != nil || !slices.Equal(got, Readings{path}) {
			t.Errorf("%q reads %q (%v)", path, got, err)
		}
	}
}

// What upstreams do to a path gives a reading each.
func TestReadings(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		path string
		want []string
	}{
		"escaped letters":                {"/%61dmin", []string{"/admin"}},
		"reserved escapes, both ways":    {"/%40bob", []string{"/%40bob", "/@bob"}},
		"slashes merged and not":         {"/a//b", []string{"/a/b", "/a//b"}},
		"an authority":                   {"//host/admin", []string{"/host/admin", "//host/admin", "/admin"}},
		"three slashes, an authority":    {"///host/admin", []string{"/host/admin", "///host/admin", "/admin"}},
		"parameters":                     {"/a;x=1/b;y", []string{"/a;x=1/b;y", "/a/b"}},
		"escaped parameters":             {"/a%3bx/b", []string{"/a%3bx/b", "/a;x/b", "/a/b"}},
		"an escaped question mark":       {"/a%3Fb", []string{"/a%3Fb", "/a?b", "/a"}},
		"an escaped fragment":            {"/a%23b", []string{"/a%23b", "/a#b", "/a"}},
		"an escaped slash":               {"/a%2Fb/c", []string{"/a%2Fb/c", "/a/b/c"}},
		"escaped slashes alone":          {"/%2f%2Fa/b", []string{"/%2f%2Fa/b", "/a/b", "///a/b", "/b"}},
		"a dot at the end of a segment":  {"/a./b", []string{"/a./b", "/a/b"}},
		"a space at the end":             {"/a%20", []string{"/a ", "/a"}},
		"no-break space":                 {"/a%C2%A0", []string{"/a\u00a0", "/a ", "/a"}},
		"zero width space":               {"/ad%E2%80%8Bmin", []string{"/ad\u200bmin", "/admin"}},
		"soft hyphen":                    {"/ad%C2%ADmin", []string{"/ad\u00admin", "/admin"}},
		"variation selector":             {"/admin%EF%B8%8F", []string{"/admin\ufe0f", "/admin"}},
		"full width letters":             {"/%EF%BD%81dmin", []string{"/\uff41dmin", "/admin"}},
		"full width slash":               {"/a%EF%BC%8Fb", []string{"/a\uff0fb", "/a/b"}},
		"division slash":                 {"/a%E2%88%95b", []string{"/a\u2215b", "/a/b"}},
		"fraction slash":                 {"/a%E2%81%84b", []string{"/a\u2044b", "/a/b"}},
		"dotless i":                      {"/adm%C4%B1n", []string{"/adm\u0131n", "/admin"}},
		"long s":                         {"/u%C5%BFers", []string{"/u\u017fers", "/users"}},
		"decomposed letters":             {"/cafe%CC%81", []string{"/cafe\u0301", "/caf\u00e9"}},
		"behind a script":                {"/index.php/admin", []string{"/index.php/admin", "/admin"}},
		"behind a script, in a folder":   {"/app/INDEX.PHP/admin", []string{"/app/INDEX.PHP/admin", "/app/admin", "/admin"}},
		"behind a script of any name":    {"/app.PHP/admin", []string{"/app.PHP/admin", "/admin"}},
		"behind a CGI program":           {"/cgi-bin/run.fcgi/a.b/admin", []string{"/cgi-bin/run.fcgi/a.b/admin", "/cgi-bin/a.b/admin", "/a.b/admin"}},
		"behind two scripts":             {"/a.php/b.php/admin", []string{"/a.php/b.php/admin", "/admin", "/b.php/admin"}},
		"behind a file":                  {"/v1.2/php/a.txt/admin.php", []string{"/v1.2/php/a.txt/admin.php"}},
		"what a script is handed":        {"/a/Report.PHP/x.js", []string{"/a/Report.PHP/x.js", "/a/Report.PHP", "/a/x.js"}},
		"what a program is handed":       {"/x.aspx/GetAll", []string{"/x.aspx/GetAll", "/x.aspx"}},
		"what two are handed":            {"/a.php/b.py/c/d", []string{"/a.php/b.py/c/d", "/a.php/b.py", "/a.php"}},
		"a script alone is a file":       {"/index.php", []string{"/index.php"}},
		"a cookieless session":           {"/(S(abc))/admin", []string{"/(S(abc))/admin", "/admin"}},
		"several in one segment":         {"/(A(a)S(b))/admin", []string{"/(A(a)S(b))/admin", "/admin"}},
		"a cookieless session in a word": {"/ad/(S(x))min", []string{"/ad/(S(x))min", "/admin"}},
		"ordinary parentheses":           {"/wiki/Go_(game)", []string{"/wiki/Go_(game)"}},
		"a stream of a file":             {"/admin::$DATA", []string{"/admin::$DATA", "/admin"}},
		"a stream of a folder":           {"/admin:$i30:$INDEX_ALLOCATION/x", []string{"/admin:$i30:$INDEX_ALLOCATION/x", "/admin/x"}},
		"a dollar sign is no stream":     {"/a$b", []string{"/a$b"}},
		"data of a Next.js page":         {"/_next/data/b1/admin/x.json", []string{"/_next/data/b1/admin/x.json", "/admin/x"}},
		"data of its first page":         {"/_next/data/b1/index.json", []string{"/_next/data/b1/index.json", "/"}},
		"data of a page below a prefix":  {"/docs/_next/data/b1/admin.json", []string{"/docs/_next/data/b1/admin.json", "/docs/admin"}},
		"data of a page called index":    {"/_next/data/b1/index/index.json", []string{"/_next/data/b1/index/index.json", "/index"}},
		"data of no page":                {"/_next/data/x.json", []string{"/_next/data/x.json"}},
		"data of a SvelteKit page":       {"/admin/__data.json", []string{"/admin/__data.json", "/admin"}},
		"data of its first page too":     {"/__data.json", []string{"/__data.json", "/"}},
		"data of a file's page":          {"/admin.html__data.json", []string{"/admin.html__data.json", "/admin"}},
		"data of a Nuxt page":            {"/admin/_payload.json", []string{"/admin/_payload.json", "/admin"}},
		"data of a Gatsby page":          {"/page-data/admin/page-data.json", []string{"/page-data/admin/page-data.json", "/admin"}},
		"other data":                     {"/report.json", []string{"/report.json"}},
		"several at once":                {"//x/%61;b./c", []string{"/x/a;b./c", "//x/a;b./c", "/a;b./c", "/x/a/c", "//x/a/c", "/a/c"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := readPath(c.path, nil)
			if err != nil {
				t.Fatalf("%q: %v", c.path, err)
			}
			for _, want := range c.want {
				if !slices.Contains(got, want) {
					t.Errorf("%q reads %q, without %q", c.path, got, want)
				}
			}
			if got[0] != c.want[0] {
				t.Errorf("%q reads %q first, want %q", c.path, got[0], c.want[0])
			}
		})
	}
}

// What only looks like a program is none: nothing follows it that it could be handed.
func TestFoldersAreNoPrograms(t *testing.T) {
	t.Parallel()
	for path, not := range map[string]string{
		"/sh/list.json": "/sh", "/py//x.css": "/py", "/php/x.json": "/x.json", "/exe/%41/x.js": "/exe", "/x.shell//y": "/x.shell", "/v1.2/y.json": "/v1.2",
	} {
		got, err := readPath(path, nil)
		if err != nil || slices.Contains(got, not) {
			t.Errorf("%q reads %q (%v), with %q", path, got, err, not)
		}
	}
}

func TestPathsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err   error
		paths []string
	}{
		"broken escapes":          {ErrMalformed, []string{"/%", "/%4", "/%4g", "/%g4", "/a%", "/%%41"}},
		"control characters":      {ErrMalformed, []string{"/\x00", "/\n", "/\t", "/\x7f", "/%00", "/%0a", "/%0D", "/%1f", "/%7F", "/%C2%85", "/%E2%80%A8", "/%E2%80%A9"}},
		"spaces and fragments":    {ErrMalformed, []string{"/a b", "/ ", "/a#b"}},
		"bytes that are no UTF-8": {ErrMalformed, []string{"/%ff", "/%c0%af", "/%e0%80%af", "/%f0%80%80%af", "/%c1%a1", "/%ed%a0%80", "/\xff"}},
		"backslashes":             {ErrAmbiguous, []string{`/a\b`, "/a%5cb", "/a%5Cb", "/a%EF%BC%BCb", "/a%E2%88%96b"}},
		"escapes in escapes":      {ErrAmbiguous, []string{"/%2561", "/%252f", "/%25%32%66", "/%25252e", "/%2500", "/%25%EF%BC%94%EF%BC%91", "/%252%E2%80%8B5", "/%EF%BC%8541"}},
		"%u escapes":              {ErrAmbiguous, []string{"/%25u0061", "/%25U0061"}},
		"dot segments": {ErrAmbiguous, []string{
			"/.", "/..", "/./a", "/../a", "/a/.", "/a/..", "/a/../b", "/%2e/a", "/%2e%2E/a", "/.%2e/a", "/a/..;/b", "/a/..;x=1/b", "/a/..%3b/b", "/a/.;/b", "/...", "/a/..%20/b",
			"/%EF%BC%8E%EF%BC%8E/a", "/%E2%80%A5/a", "/a/.%E2%80%8B./b", "/%E2%80%A4/a", "/a/..%20;x/b", "/a%EF%BC%8F..%EF%BC%8Fb", "/a/..%2fb", "/a%2f..%2fb", "/a%2F.%2fb", "/a%2f..", "/a%2F..;x/b"}},
		"too much to read in every way": {ErrAmbiguous, []string{"/" + strings.Repeat("/a;b.%3fc%23d%40", 400)}},
		"too much beyond ASCII":         {ErrTooLong, []string{"/" + strings.Repeat("\ufdfa", 700)}},
	} {
		for _, path := range c.paths {
			if got, err := readPath(path, nil); !errors.Is(err, c.err) {
				t.Errorf("%s: %q reads %.80q (%v), want %v", name, path, got, err, c.err)
			}
		}
	}
}

// Reading a reading again finds nothing new: the readings are closed.
func TestReadingTwiceEqualsReadingOnce(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/a", "/a//b;c", "//h/a%3fb", "/%61%40;x./y", "/index.php/a.", "/_next/data/b/a.json", "/(S(x))//a;b", "/ａ%E2%80%8B//b."} {
		once, err := readPath(path, nil)
		if err != nil {
			t.Errorf("%q: %v", path, err)
		}
		for _, reading := range once {
			for _, transform := range transforms {
				again := transform.apply(nil, reading)
				if again == "" || again[0] != '/' {
					again = "/" + again
				}
				if !slices.Contains(once, again) {
					t.Errorf("%q: reading %q is also %q", path, reading, again)
				}
			}
		}
	}
}

// A way that is left out, for want of its marks, would have changed nothing.
func TestWaysDoNothingWithoutTheirMarks(t *testing.T) {
	t.Parallel()
	pieces := []string{"/", "//", ".", "..", ";", "%3b", "%3B", "%3f", "%3F", "%23", "%2e", "%25", "?", "#", "$", ":$", " ", "(", ")", "/(S(x))", "/index.php", "/index", ".json",
		"/_next/data/b/", "/page-data/", "/page-data.json", "/__data.json", "a", "B", "é", "\u212a", "\u200b", "\uff0f", "\u2044", ":", "&", "-", "_"}
	random := rand.New(rand.NewPCG(1, 2))
	for range 200_000 {
		var b strings.Builder
		b.WriteByte('/')
		for range random.IntN(6) {
			b.WriteString(pieces[random.IntN(len(pieces))])
		}
		path := b.String()
		has := classesOf(path)
		for i, transform := range transforms {
			if has&transform.where != 0 {
				continue
			}
			if got := transform.apply(nil, path); got != path {
				t.Fatalf("way %d makes %q of %q, which has not its marks", i, got, path)
			}
		}
	}
}
