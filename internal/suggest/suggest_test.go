package suggest

import "testing"

func TestTheNearestWordIsOffered(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		word, want string
		known      []string
	}{
		{"enforec", "enforce", []string{"shadow", "enforce"}},
		{"Shadow", "shadow", []string{"shadow", "enforce"}},
		{"watch", "", []string{"shadow", "enforce"}},
		{"ab", "", []string{"xy"}}, // nothing in common
		{"rulo", "rule", []string{"ruly", "rule"}},
		{"x", "", nil},
	} {
		if got := Nearest(c.word, c.known...); got != c.want {
			t.Errorf("%q of %v: %q, want %q", c.word, c.known, got, c.want)
		}
	}
	if got := DidYouMean("enforec", "enforce"); got != `did you mean "enforce"?` {
		t.Error(got)
	}
	if got := OneOf("watch", "enforce", "shadow"); got != "known are enforce, shadow" {
		t.Error(got)
	}
}
