package machine

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/machineid"
)

// Each type of token that a rule can accept is one that something verifies, and
// whose principals have a subject: a principal without one would be somebody whom no
// requirement on users or organizations is about.
func TestEveryTokenTypeIsVerifiedAndNamesSomebody(t *testing.T) {
	t.Parallel()
	prefixes := map[string]policy.TokenType{}
	for _, kind := range policy.KnownTokenTypes() {
		if kind == policy.SessionToken {
			continue
		}
		m, ok := tokenTypes[kind]
		if !ok {
			t.Errorf("%s has no row in tokenTypes", kind)
			continue
		}
		if other, taken := prefixes[m.prefix]; taken || len(m.prefix) > longestPrefix || !strings.HasSuffix(m.prefix, "_") || opaqueType(m.prefix+"x") != kind {
			t.Errorf("%s has the prefix %q (%s)", kind, m.prefix, other)
		}
		prefixes[m.prefix] = kind
		if m.path == "" || m.member == "" || m.secret(&Options{SecretKey: "sk"}) != "sk" || len(machineid.SubjectsOf(kind)) == 0 {
			t.Errorf("%s: %+v", kind, m)
		}
		for _, prefix := range machineid.SubjectsOf(kind) {
			who := &machineid.Identity{ID: "id_1", Subject: prefix + "1"}
			if err := who.Check(kind, compat.Relaxations{}); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if p := who.Principal(kind, fingerprint.Sum{}); p.TokenType != kind || p.UserID+p.MachineID+p.OrgID != who.Subject {
				t.Errorf("%s of %s is a principal without a subject: %+v", kind, who.Subject, p)
			}
		}
		if err := (&machineid.Identity{ID: "id_1", Subject: "nobody_1"}).Check(kind, compat.Relaxations{}); err == nil {
			t.Errorf("%s takes any subject", kind)
		}
	}
	if len(prefixes) != len(tokenTypes) {
		t.Errorf("%d types of machine tokens, of which rules can accept %d", len(tokenTypes), len(prefixes))
	}
}
