package weburl

import (
	"strings"
	"testing"
)

// What browsers make of a URL, by the standard.
func TestURLsAreReadAsBrowsersDo(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"https://app.example.com":            "https://app.example.com/",
		"HTTPS:app.Example.com:443/a/../b?":  "https://app.example.com/b?",
		" https:\\\\a.example\\x\ty ":        "https://a.example/xy",
		"http://u:p@a.example:8080/?a=b c#d": "http://u:p@a.example:8080/?a=b%20c#d",
		"http://u@a.example/":                "http://u@a.example/",
		"http://127.1/%2e%2E/é":              "http://127.0.0.1/%C3%A9",
		"http://0x7f000001":                  "http://127.0.0.1/",
		"http://[::FFFF:1.2.3.4]/":           "http://[::ffff:102:304]/",
		"http://bücher.example":              "http://xn--bcher-kva.example/",
		"http://a%2eb/":                      "http://a.b/",
	} {
		if u, ok := Parse(text); !ok || u.String() != want {
			t.Errorf("%q: %v, %v", text, u, ok)
		}
	}
	for _, text := range []string{"", "/a", "a.example", "ftp://a.example/", "javascript:alert(1)", "http://", "https://a b/", "http://a.example:99999/", "http://1.2.3.4.5/", "http://[::1", "http://a%00b/", "http://a<b/"} {
		if u, ok := Parse(text); ok {
			t.Errorf("%q is %v", text, u)
		}
	}
}

func TestAuthoritiesAreHostsAlone(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{"App.example.com:443": "app.example.com", "a.example:8443": "a.example:8443", "[::1]": "[::1]", "127.1": "127.0.0.1"} {
		if got, ok := ParseHost(text, "https"); !ok || got != want {
			t.Errorf("%q: %q, %v", text, got, ok)
		}
	}
	for _, text := range []string{"", "u@a.example", "a.example/x", "a.example?", "a.example#x", "a b", "a.example:x", strings.Repeat("a", 10) + "\\b"} {
		if got, ok := ParseHost(text, "https"); ok {
			t.Errorf("%q is %q", text, got)
		}
	}
}

// A target changes path and query, and nothing else.
func TestATargetChangesPathAndQuery(t *testing.T) {
	t.Parallel()
	for target, want := range map[string]string{"/a?b": "https://a.example/a?b", "/": "https://a.example/", "/x/../y%2e": "https://a.example/y%2e", "//evil.example/": "https://a.example//evil.example/", "/@evil.example": "https://a.example/@evil.example", "/a#b": "https://a.example/a"} {
		u, _ := Parse("https://a.example/before?q")
		if u.SetTarget(target); u.String() != want {
			t.Errorf("%q: %s, want %s", target, u, want)
		}
	}
}

func BenchmarkParse(b *testing.B) {
	b.ReportAllocs()
	long := "https://app.example.com/" + strings.Repeat("a/é?", 16<<10)
	for name, text := range map[string]string{"ordinary": "https://app.example.com/orders/1?a=b", "long": long} {
		b.Run(name, func(b *testing.B) {
			for b.Loop() {
				Parse(text)
			}
		})
	}
}
