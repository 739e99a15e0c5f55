package policy

import (
	"os"
	"regexp"
	"testing"
)

// The document lists each field of expressions with its type, and no other.
func TestFieldsOfExpressionsAreDocumented(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile("../docs/policy.md")
	if err != nil {
		t.Fatal(err)
	}
	documented := map[string]string{}
	for _, row := range regexp.MustCompile("(?m)^\\| `((?:principal|request)\\.\\w+)` \\| `([^`]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented[row[1]] = row[2]
	}
	known := 0
	for name, o := range objects {
		for field, f := range o.fields {
			known++
			if got := documented[name+"."+field]; got != f.kind.String() {
				t.Errorf("%s.%s is documented as %q, and is %s", name, field, got, f.kind)
			}
		}
	}
	if len(documented) != known {
		t.Errorf("%d fields are documented, and there are %d", len(documented), known)
	}
}
