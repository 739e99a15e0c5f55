package session

import (
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// iterations is how many random cases a test makes: few, or as many as
// CLERKGATE_ITERATIONS says.
func iterations(few int) int {
	if n, err := strconv.Atoi(os.Getenv("CLERKGATE_ITERATIONS")); err == nil {
		return n
	}
	return few
}

// A token with one byte changed, dropped, added or swapped with its neighbour is
// another token, and nobody's; also to who has seen the right one.
func TestNoMutationOfATokenIsAccepted(t *testing.T) {
	t.Parallel()
	token := []byte(mint(t, nil))
	v, r := testVerifier(t), rand.New(rand.NewPCG(1, 2))
	accepts := func(text []byte) bool { _, err := v.Verify(t.Context(), string(text), now); return err == nil }
	if !accepts(token) {
		t.Fatal("the token itself is refused")
	}
	for range iterations(5_000) {
		text, at := slices.Clone(token), r.IntN(len(token)-1)
		switch r.IntN(4) {
		case 0:
			text[at] = byte(r.IntN(256))
		case 1:
			text = slices.Delete(text, at, at+1)
		case 2:
			text = slices.Insert(text, at, byte(r.IntN(256)))
		default:
			text[at], text[at+1] = text[at+1], text[at]
		}
		if string(text) != string(token) && accepts(text) {
			t.Fatalf("%q is accepted", text)
		}
	}
	if !accepts(token) {
		t.Error("the token itself is refused afterwards")
	}
}

// Random addresses that are safe lead to an allowed origin by the rules of the
// URL standard, which browsers follow.
func TestSafeRedirectsLeadToAllowedOrigins(t *testing.T) {
	t.Parallel()
	pieces := []string{"/", "/", "//", `\`, ".", "..", "%2e", "@", ":", "?", "#", "https:", "http://", "HTTPS://", "https://", "app.example.com", "app.example.com", "evil.example", "a.preview.example.com",
		":443", ":8443", "\t", "\n", " ", "\x00", "a", "x", "%2f", "%5c", ";", "&", "=", "javascript:", "\u3000", "\uff0f", "\u200b", "[::1]", "*", "-", "_", "é"}
	origins := []string{"https://app.example.com", "https://*.preview.example.com", "http://localhost:3000"}
	r, safe := rand.New(rand.NewPCG(3, 4)), 0
	for range iterations(20_000) {
		var b strings.Builder
		for range 1 + r.IntN(7) {
			b.WriteString(pieces[r.IntN(len(pieces))])
		}
		target := b.String()
		if !IsSafeRedirect(target, origins) {
			continue
		}
		safe++
		rooted := strings.HasPrefix(target, "/")
		if rooted {
			target = "https://app.example.com" + target
		}
		u, ok := parseWebURL(target)
		if !ok || u.user != "" || u.scheme != "https" || rooted && strings.HasPrefix(u.path, "//") ||
			u.host != "app.example.com" && !strings.HasSuffix(u.host, ".preview.example.com") {
			t.Fatalf("%q is safe, and leads to %v", b.String(), u)
		}
	}
	if safe == 0 {
		t.Error("nothing is safe")
	}
}
