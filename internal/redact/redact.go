// Package redact takes secrets out of texts for people: errors about a setting often
// repeat its value, and a value in the wrong place may be a secret.
package redact

import "regexp"

// mark stands in the place of a secret.
const mark = "[redacted]"

// secrets are texts that only secrets have. What is kept of them says what they were.
var secrets = []struct {
	pattern *regexp.Regexp
	instead string
}{
	// Keys in PEM form, with their lines or with what stands for them in quotes.
	{regexp.MustCompile(`(?s)-----BEGIN.*(-----END[A-Z ]*-----|$)`), mark},
	// Users and passwords of URLs, up to the last @ that could end them.
	{regexp.MustCompile(`//[^"\n]*@`), "//" + mark + "@"},
	{regexp.MustCompile(`[^\s"/:@]*:[^\s"]+@`), mark + "@"},
	// Keys and tokens of Clerk.
	{regexp.MustCompile(`\b(sk_live_|sk_test_|whsec_|ak_|mt_|oat_|dvb_|rt_)[A-Za-z0-9+/][^\s"')]*`), "${1}" + mark},
	// Tokens that can be read.
	{regexp.MustCompile(`\beyJ[A-Za-z0-9_-]{4,}[A-Za-z0-9_.-]*`), mark},
}

// Text returns a text without the secrets that can be told by their form.
func Text(text string) string {
	for _, s := range secrets {
		text = s.pattern.ReplaceAllString(text, s.instead)
	}
	return text
}
