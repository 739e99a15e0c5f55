package policy

import (
	"math/rand/v2"
	"strings"
	"testing"
)

// Several bytes at once are what each of them is.
func TestFieldsArePlainByteByByte(t *testing.T) {
	t.Parallel()
	r := rand.New(rand.NewPCG(1, 2))
	for range 100_000 {
		text := make([]byte, 1+r.IntN(40))
		for i := range text {
			if text[i] = byte('!' + r.IntN(0x5e)); r.IntN(20) == 0 {
				text[i] = "\t\n\r\x00\x0e\x0c\x8d\x80\xff \x7f\x7e!\xa1"[r.IntN(14)]
			}
		}
		s := string(text)
		name := !strings.ContainsFunc(s, func(c rune) bool { return c <= ' ' || c >= 0x7f })
		value := !strings.ContainsAny(s, "\n\r\x00")
		if got := isVisible(s); got != name {
			t.Fatalf("name %q: %v, want %v", s, got, name)
		}
		if got := isOneLine(s); got != value {
			t.Fatalf("value %q: %v, want %v", s, got, value)
		}
	}
}
