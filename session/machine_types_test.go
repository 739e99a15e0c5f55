package session

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/compat"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
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
		m, ok := machineTypes[kind]
		if !ok {
			t.Errorf("%s has no row in machineTypes", kind)
			continue
		}
		if other, taken := prefixes[m.prefix]; taken || len(m.prefix) > longestPrefix || !strings.HasSuffix(m.prefix, "_") || opaqueType(m.prefix+"x") != kind {
			t.Errorf("%s has the prefix %q (%s)", kind, m.prefix, other)
		}
		prefixes[m.prefix] = kind
		if m.path == "" || m.member == "" || m.secret(&Config{SecretKey: "sk"}) != "sk" || len(m.subjects) == 0 {
			t.Errorf("%s: %+v", kind, m)
		}
		for _, prefix := range m.subjects {
			identity := &machineIdentity{id: "id_1", subject: prefix + "1"}
			if err := identity.check(kind, compat.Relaxations{}); err != nil {
				t.Errorf("%s: %v", kind, err)
			}
			if p := identity.principal(kind, fingerprint.Sum{}); p.TokenType != kind || p.UserID+p.MachineID+p.OrgID != identity.subject {
				t.Errorf("%s of %s is a principal without a subject: %+v", kind, identity.subject, p)
			}
		}
		if err := (&machineIdentity{id: "id_1", subject: "nobody_1"}).check(kind, compat.Relaxations{}); err == nil {
			t.Errorf("%s takes any subject", kind)
		}
	}
	if len(prefixes) != len(machineTypes) {
		t.Errorf("%d types of machine tokens, of which rules can accept %d", len(machineTypes), len(prefixes))
	}
}
