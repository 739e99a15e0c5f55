package clerktest

import (
	"encoding/json"
	"fmt"
	"slices"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// read encodes the claims of somebody in an organization and has them read as
// the gate reads them.
func read(t *testing.T, u User, m *Membership, version1 bool) *policy.Principal {
	t.Helper()
	claims := map[string]any{"sub": "user_1"}
	addEntitlements(claims, u, m)
	if version1 {
		addOrganizationV1(claims, m)
	} else {
		claims["v"] = 2
		addOrganizationV2(claims, u, m)
	}
	text, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	var decoded map[string]any
	if err := json.Unmarshal(text, &decoded); err != nil {
		t.Fatal(err)
	}
	p, err := jwt.Expected{}.ReadClaims(decoded)
	if err != nil {
		t.Fatalf("%s: %v", text, err)
	}
	return p
}

// FuzzPermissionsSurviveTheirEncoding: what the gate reads from a token is what
// the membership grants, no more and no less, in claims of either version.
func FuzzPermissionsSurviveTheirEncoding(f *testing.F) {
	f.Add([]byte{}, []byte{})
	f.Add([]byte{0x01, 0x12, 0x01}, []byte{})
	f.Add([]byte{0x31, 0x10, 0x22}, []byte{3, 9})
	f.Fuzz(func(t *testing.T, grants, own []byte) {
		m := &Membership{Organization: Organization{ID: "org_1", Slug: "acme", Features: []string{"f0"}}, Role: "org:member"}
		for _, b := range grants { // 16 features, 16 names
			m.Permissions = append(m.Permissions, fmt.Sprintf("org:f%d:n%d", b>>4, b&15))
		}
		var u User
		for _, b := range own {
			if feature := fmt.Sprintf("f%d", b%32); !slices.Contains(u.Features, feature) {
				u.Features = append(u.Features, feature)
			}
		}
		want := set(m.Permissions)
		for _, version1 := range []bool{false, true} {
			p := read(t, u, m, version1)
			if got := set(p.OrgPermissions); !slices.Equal(got, want) {
				t.Errorf("permissions %q became %q", want, got)
			}
			if got := set(p.Features.User); !slices.Equal(got, set(u.Features)) {
				t.Errorf("features %q became %q", u.Features, got)
			}
			if got := set(p.Features.Org); !slices.Equal(got, set(m.features())) {
				t.Errorf("the organization's features %q became %q", m.features(), got)
			}
		}
	})
}

func set(list []string) []string {
	list = slices.Clone(list)
	slices.Sort(list)
	return slices.Compact(list)
}

// More names than a machine word has bits.
func TestMasksHaveAnySize(t *testing.T) {
	t.Parallel()
	m := &Membership{Organization: Organization{ID: "org_1"}, Role: "org:member"}
	for n := range 70 {
		m.Permissions = append(m.Permissions, fmt.Sprintf("org:docs:n%d", n))
	}
	if got := read(t, User{}, m, false).OrgPermissions; !slices.Equal(got, m.Permissions) {
		t.Errorf("%d permissions became %d", len(m.Permissions), len(got))
	}
}

func TestNobodyIsInNoOrganization(t *testing.T) {
	t.Parallel()
	for _, version1 := range []bool{false, true} {
		if p := read(t, User{Plans: []string{"free"}}, nil, version1); p.OrgID != "" || p.OrgPermissions != nil || !slices.Equal(p.Plans.User, []string{"free"}) {
			t.Errorf("%+v", p)
		}
	}
}

// The worked example of Clerk's claims: one mask for each element of fea, those
// of features that only the user has being 0.
func TestPermissionsAreMasksOverTheFeatures(t *testing.T) {
	t.Parallel()
	m := &Membership{Organization: Organization{ID: "org_1", Slug: "acme", Features: []string{"articles", "logs"}}, Role: "org:editor",
		Permissions: []string{"org:articles:read", "org:media:read", "org:media:export"}}
	u := User{Features: []string{"beta", "media"}}
	claims := map[string]any{}
	addEntitlements(claims, u, m)
	addOrganizationV2(claims, u, m)
	want := map[string]any{"fea": "o:articles,o:logs,ou:media,u:beta",
		"o": map[string]any{"id": "org_1", "slg": "acme", "rol": "editor", "per": "read,export", "fpm": "1,0,3,0"}}
	if diff := cmp.Diff(want, claims); diff != "" {
		t.Error(diff)
	}
}
