package jwt

import (
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/mint"
	"github.com/clerkgate/clerkgate/session/internal/unverified"
)

// What is classified as a machine's without decoding is what decoding says.
func FuzzClassify(f *testing.F) {
	f.Add([]byte(`{"typ":"at+jwt"}`), []byte(`{"sub":"user_1"}`))
	f.Add([]byte(`{"typ":"\u0061t+jwt"}`), []byte(`{"sub":"\u006dch_1"}`))
	f.Add([]byte(`{"typ":"JWT","typ":"at+jwt"}`), []byte(`{"s\u0075b":"mch_1"}`))
	f.Add([]byte(`{}`), []byte(`{"sub":"user_mch_1","x":"at+jwt"}`))
	v := NewMachineVerifier(testExpected, testKeys(f))
	f.Fuzz(func(t *testing.T, header, payload []byte) {
		text := mint.Segment(header) + "." + mint.Segment(payload) + ".AAAA"
		want := policy.TokenType("")
		if decoded, err := unverified.Decode(text, compat.Relaxations{}, nil); err == nil {
			want = decoded.MachineType()
		}
		if got, _ := v.Parse(text); got.Type != want {
			t.Fatalf("%q, want %q", got.Type, want)
		}
	})
}
