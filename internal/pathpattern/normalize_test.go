package pathpattern

import (
	"errors"
	"strings"
	"testing"
	"unicode/utf8"
)

func TestNormalize(t *testing.T) {
	t.Parallel()
	for path, want := range map[string]string{
		"":                     "",
		"/":                    "/",
		"//a///b/":             "/a/b/",
		"/%64ashboard":         "/dashboard",
		"/%2564":               "/%64",
		"/a%2Fb%2fc":           "/a%2Fb%2fc",
		"/%2F/%2F":             "/%2F/%2F",
		"/%3B%3f%3A%40%26":     "/%3B%3f%3A%40%26",
		"/%3D%2B%24%2C%23":     "/%3D%2B%24%2C%23",
		"/%7E%00%0a%5C%25":     "/~\x00\n\\%",
		"/caf%C3%A9/%e2%82%ac": "/café/€",
		"/%F0%9F%98%80":        "/😀",
		"/%EF%BF%BD":           "/\uFFFD",
		"/é😀":                  "/é😀",
		"/a/../b":              "/a/../b",
	} {
		if got, err := Normalize(path); got != want || err != nil {
			t.Errorf("Normalize(%q) = %q, %v, want %q", path, got, err, want)
		}
	}
}

func TestNormalizeRefusesWhatCannotBeDecoded(t *testing.T) {
	t.Parallel()
	for _, path := range []string{
		"%", "/%4", "/%zz", "/%4g", "/%u0041", "/%FF", "/%C3", "/%C3/", "/%C3%28", "/%C3é", "/%C3x%A9", "/%C0%AF",
		"/%ED%A0%80", "/%F4%90%80%80", "/%E0%A4%A", "/%F0%9F%98", "/%80", "/\xff", "/\xc3",
	} {
		if got, err := Normalize(path); got != "" || !errors.Is(err, ErrMalformed) {
			t.Errorf("Normalize(%q) = %q, %v", path, got, err)
		}
	}
}

func FuzzNormalize(f *testing.F) {
	for _, seed := range []string{"/", "//a", "/%2F", "/%e9", "/caf%C3%A9", "/%25%32", "/é%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, path string) {
		got, err := Normalize(path)
		switch {
		case err != nil && (got != "" || !errors.Is(err, ErrMalformed)):
			t.Errorf("Normalize(%q) = %q, %v", path, got, err)
		case !utf8.ValidString(got):
			t.Errorf("Normalize(%q) = %q, not UTF-8", path, got)
		case strings.Contains(got, "//"):
			t.Errorf("Normalize(%q) = %q, with two slashes", path, got)
		case err == nil && !strings.Contains(path, "%") && !strings.Contains(path, "//") && got != path:
			t.Errorf("Normalize(%q) = %q, though there was nothing to do", path, got)
		}
	})
}
