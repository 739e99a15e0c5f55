package jwt

import (
	"math/rand/v2"
	"slices"
	"testing"

	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/sessiontest"
)

// A token with one byte changed, dropped, added or swapped with its neighbour is
// another token, and nobody's; also to who has seen the right one.
func TestNoMutationOfATokenIsAccepted(t *testing.T) {
	t.Parallel()
	token := []byte(mint.Token(t, nil))
	v, r := testVerifier(t), rand.New(rand.NewPCG(1, 2))
	accepts := func(text []byte) bool { _, err := v.Verify(t.Context(), string(text), now); return err == nil }
	if !accepts(token) {
		t.Fatal("the token itself is refused")
	}
	for range sessiontest.Iterations(5_000) {
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
