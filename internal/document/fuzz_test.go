package document_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/internal/joined"
)

// FuzzLoad holds that no document makes Load panic, that loading twice gives the same, that every error has a place in
// the document, and that the secret in the environment is in no error.
func FuzzLoad(f *testing.F) {
	for _, test := range loadErrors {
		if len(test.text) < 1000 {
			f.Add("gate.yaml", test.text)
			f.Add("gate.json", test.text)
		}
	}
	f.Add("gate.json", both)
	f.Add("gate.yaml", located)
	f.Add("gate.yaml", "clerk: {secret_key: ${SECRET}, pin: ${SECRET}}\nlimits: {a: {ratio: ${SECRET}}}")
	f.Fuzz(func(t *testing.T, name, text string) {
		first, d, err := load(name, text)
		second, _, again := load(name, text)
		if diff := cmp.Diff(texts(err), texts(again)); diff != "" {
			t.Fatalf("the errors differ the second time:\n%s", diff)
		}
		if diff := cmp.Diff(first, second, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
			t.Fatalf("the result differs the second time:\n%s", diff)
		}
		if (d == nil) != (err != nil) {
			t.Fatalf("document %v with error %v", d, err)
		}
		for _, e := range joined.Each(err) {
			checkPlace(t, e, name, text)
		}
	})
}

func checkPlace(t *testing.T, err error, name, text string) {
	t.Helper()
	e, ok := err.(*document.Error)
	if !ok {
		t.Fatalf("%v is not located", err)
	}
	lines := 1 + strings.Count(text, "\n") + strings.Count(text, "\r") + strings.Count(text, "\u0085") +
		strings.Count(text, "\u2028") + strings.Count(text, "\u2029") // line breaks of YAML 1.1
	if e.Position.File != name || e.Position.Line < 1 || e.Position.Line > lines || e.Position.Column < 1 {
		t.Fatalf("%v is not in the document of %d lines", err, lines)
	}
	if secret := testEnv["SECRET"]; strings.Contains(e.Error(), secret) && !strings.Contains(text, secret) {
		t.Fatalf("%v repeats the secret", err)
	}
}
