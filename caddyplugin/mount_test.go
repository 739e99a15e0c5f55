package caddyplugin

import (
	"slices"
	"strings"
	"testing"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"
)

func TestTheCaddyfileNamesBasePathAndLocales(t *testing.T) {
	t.Parallel()
	var h Handler
	if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser("clerk_auth {\n base_path /shop\n locales en fr pt-BR\n}")); err != nil {
		t.Fatal(err)
	}
	if h.BasePath != "/shop" || !slices.Equal(h.Locales, []string{"en", "fr", "pt-BR"}) {
		t.Errorf("%q %q", h.BasePath, h.Locales)
	}
	for text, want := range map[string]string{
		"clerk_auth {\n base_path shop/\n}":   "such as /shop), at Testfile:2",
		"clerk_auth {\n\n locales en EN\n}":   "there already",
		"clerk_auth {\n base_path /a /b\n}":   "takes one value, not 2",
		"clerk_auth {\n base_path /:a(.*)\n}": "no pattern",
	} {
		var h Handler
		if err := h.UnmarshalCaddyfile(caddyfile.NewTestDispenser(text)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
}
