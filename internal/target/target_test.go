package target

import (
	"errors"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		target, host, scheme string
		raw, path, query     string
		wantHost, port       string
	}{
		"a path":                            {"/a", "example.com", "https", "/a", "/a", "", "example.com", ""},
		"a path and a query":                {"/a?b=c", "example.com", "https", "/a?b=c", "/a", "b=c", "example.com", ""},
		"a question mark in the query":      {"/a?b?c", "example.com", "https", "/a?b?c", "/a", "b?c", "example.com", ""},
		"an empty query":                    {"/a?", "example.com", "https", "/a?", "/a", "", "example.com", ""},
		"odd marks in the query":            {"/a?x=%zz&y=\\%00//../", "example.com", "https", "/a?x=%zz&y=\\%00//../", "/a", "x=%zz&y=\\%00//../", "example.com", ""},
		"letter case, final dot":            {"/", "Example.COM.", "https", "/", "/", "", "example.com", ""},
		"the default port of https":         {"/", "example.com:443", "https", "/", "/", "", "example.com", ""},
		"the default port of http":          {"/", "example.com:80", "http", "/", "/", "", "example.com", ""},
		"the other default port":            {"/", "example.com:80", "https", "/", "/", "", "example.com", "80"},
		"any other port":                    {"/", "example.com.:8443", "https", "/", "/", "", "example.com", "8443"},
		"a name of one label":               {"/", "localhost:3000", "http", "/", "/", "", "localhost", "3000"},
		"an underscore":                     {"/", "my_app.internal", "http", "/", "/", "", "my_app.internal", ""},
		"an IPv4 address":                   {"/", "192.0.2.1:8080", "http", "/", "/", "", "192.0.2.1", "8080"},
		"an IPv6 address":                   {"/", "[2001:db8::1]", "https", "/", "/", "", "[2001:db8::1]", ""},
		"an IPv6 address in other words":    {"/", "[2001:DB8:0:0::0001]:443", "https", "/", "/", "", "[2001:db8::1]", ""},
		"absolute-form":                     {"http://example.com/a?b", "", "http", "/a?b", "/a", "b", "example.com", ""},
		"absolute-form with the same host":  {"HTTPS://Example.com/a", "example.com", "https", "/a", "/a", "", "example.com", ""},
		"absolute-form with a default port": {"http://Example.com.:80/a", "example.com", "https", "/a", "/a", "", "example.com", ""},
		"absolute-form without a path":      {"http://example.com", "example.com", "http", "/", "/", "", "example.com", ""},
		"absolute-form with only a query":   {"http://example.com?b=/admin", "example.com", "http", "/?b=/admin", "/", "b=/admin", "example.com", ""},
		"absolute-form with a double slash": {"http://example.com//a", "example.com", "http", "//a", "//a", "", "example.com", ""},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, err := Parse(c.target, c.host, c.scheme, nil)
			if err != nil {
				t.Fatal(err)
			}
			if got.Raw != c.raw || got.Path != c.path || got.Query != c.query || got.Host != c.wantHost || got.Port != c.port {
				t.Errorf("%+v, want %+v", got, c)
			}
		})
	}
}

func TestTargetsThatAreRefused(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		err     error
		targets []string
	}{
		"no origin-form":  {ErrMalformed, []string{"", "*", "a", "example.com:443", "admin/x", "?x", "#", " /a", "\\a", "ftp://example.com/", "file:///etc", "http:/example.com/", "http:example.com", "javascript://example.com/", "://example.com/", " http://example.com/"}},
		"another host":    {ErrHost, []string{"http://other.example/a", "http://example.com:8080/", "http://example.com:443/", "http://example.com@other.example/"}},
		"no host in it":   {ErrHost, []string{"http:///a", "http://?a", "https://"}},
		"query with ends": {ErrMalformed, []string{"/a?b c", "/a?b#c", "/a?\x00", "/a?\n", "/a?\x7f", "/a?\xff"}},
		"too long":        {ErrTooLong, []string{"/" + strings.Repeat("a", maxPath), "/?" + strings.Repeat("a", maxTarget)}},
	} {
		for _, target := range c.targets {
			host := "example.com"
			if name == "no host in it" {
				host = ""
			}
			if got, err := Parse(target, host, "https", nil); err != c.err {
				t.Errorf("%s: %.60q gives %v, %+v", name, target, err, got)
			}
		}
	}
}

func TestTargetsAsLongAsTheyMayBe(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/" + strings.Repeat("a", maxPath-1), "/?" + strings.Repeat("a", maxTarget-2), "/" + strings.Repeat("/a", maxPath/2-1) + "a"} {
		if _, err := Parse(target, "example.com", "https", nil); err != nil {
			t.Errorf("%.20q of %d bytes: %v", target, len(target), err)
		}
	}
}

func TestHostsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, host := range []string{
		"", ".", "..", "a..b", ".a", "a.com..", "a b", "a\tb", "a/b", "a\\b", "a,b", "a@b", "user:pw@a", "a:b:80", "a:", "a:0", "a:080", "a:+80", "a:-1", "a:65536", "a:99999999999999999999", "a:8x",
		"[", "]", "[]", "[::1", "::1", "[::1]x", "[1.2.3.4]", "[fe80::1%eth0]", "[::1]:", "[::1]:0", "caf\u00e9.example", "a%2e", "*.example.com", "a?b", "a#b", "a\x00", strings.Repeat("a", 254),
	} {
		if name, port, err := ParseHost(host, "https"); !errors.Is(err, ErrHost) {
			t.Errorf("%q gives %q, %q, %v", host, name, port, err)
		}
	}
}

// The host and the port that were read give themselves when read again.
func TestHostsReadTwiceEqualHostsReadOnce(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"Example.com.", "example.com:8443", "[2001:DB8::0:1]:1", "a.b:443", "127.0.0.1:80"} {
		name, port, err := ParseHost(host, "https")
		if err != nil {
			t.Fatalf("%q: %v", host, err)
		}
		again := name
		if port != "" {
			again += ":" + port
		}
		if n, p, err := ParseHost(again, "https"); n != name || p != port || err != nil {
			t.Errorf("%q gives %q %q, then %q %q %v", host, name, port, n, p, err)
		}
	}
}
