package conformance

import (
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"slices"
	"testing"
)

// deviation is a difference from the reference that is meant: a predicate over
// what was asked, never a list of cases.
type deviation struct {
	name string
	// is reports whether the difference may show in a case.
	is func(v *authVector, got *authResult) bool
}

// deviationCount counts how often each deviation was needed.
type deviationCount struct {
	known []deviation
	seen  map[string]int
}

func countDeviations(known []deviation) *deviationCount {
	return &deviationCount{known, map[string]int{}}
}

// explains reports whether a known deviation covers a case.
func (c *deviationCount) explains(v *authVector, got *authResult) bool {
	i := slices.IndexFunc(c.known, func(d deviation) bool { return d.is(v, got) })
	if i >= 0 {
		c.seen[c.known[i].name]++
	}
	return i >= 0
}

func (c *deviationCount) report(t *testing.T) {
	t.Helper()
	for _, d := range c.known {
		fmt.Fprintf(t.Output(), "  %d: %s\n", c.seen[d.name], d.name)
		if c.seen[d.name] == 0 {
			t.Errorf("no case shows the deviation %q", d.name)
		}
	}
}

// referenceDeviations hold in reference mode, too.
var referenceDeviations = []deviation{
	{"a PEM key may be longer than 2048 bits", func(v *authVector, _ *authResult) bool { return hasLongPEM(v) }},
	{"a configuration names its instance, whatever tokens it takes", func(v *authVector, got *authResult) bool {
		return v.Input.Config.PublishableKey == "" && got.configError != nil
	}},
}

func hasLongPEM(v *authVector) bool {
	block, _ := pem.Decode([]byte(v.Input.Config.JWTKey))
	if block == nil {
		return false
	}
	parsed, err := x509.ParsePKIXPublicKey(block.Bytes)
	key, ok := parsed.(*rsa.PublicKey)
	return err == nil && ok && key.N.BitLen() > 2048
}
