package clerktest

import (
	"slices"
	"strings"
)

// User is somebody who can sign in.
type User struct {
	// ID is claim sub: user_....
	ID   string
	Name string
	// Memberships are in organizations. A session begins in the first.
	Memberships []Membership
	// Features and Plans are the user's own.
	Features, Plans []string
	// SecondFactor says that a second factor is enrolled; signing in verifies
	// it too.
	SecondFactor bool
	// Banned users cannot sign in.
	Banned bool
}

// Organization is one of the instance's organizations.
type Organization struct {
	// ID is org_....
	ID, Slug, Name string
	// Features and Plans are the organization's.
	Features, Plans []string
}

// Membership is what somebody is in an organization.
type Membership struct {
	Organization Organization
	// Role is a key: org:admin.
	Role string
	// Permissions are keys: org:reports:read. Their features count as the
	// organization's. System permissions (org:sys_...) are in no token.
	Permissions []string
}

// People are the ones there are unless told otherwise: an admin of two
// organizations, a member of one of them, and somebody in none.
func People() []User {
	acme := Organization{ID: "org_acme", Slug: "acme", Name: "Acme", Features: []string{"reports"}, Plans: []string{"pro"}}
	bolt := Organization{ID: "org_bolt", Slug: "bolt", Name: "Bolt", Plans: []string{"free"}}
	return []User{
		{ID: "user_ada", Name: "Ada", Memberships: []Membership{
			{Organization: acme, Role: "org:admin", Permissions: []string{"org:reports:read", "org:reports:manage"}},
			{Organization: bolt, Role: "org:member"},
		}},
		{ID: "user_max", Name: "Max", Memberships: []Membership{{Organization: acme, Role: "org:member"}}},
		{ID: "user_sol", Name: "Sol", Plans: []string{"free"}},
	}
}

// membership is the one in an organization, named by slug or id, or nil.
func (u *User) membership(organization string) *Membership {
	for i := range u.Memberships {
		if o := u.Memberships[i].Organization; organization != "" && (o.Slug == organization || o.ID == organization) {
			return &u.Memberships[i]
		}
	}
	return nil
}

// clone copies what changes to the world may change.
func (u *User) clone() User {
	c := *u
	c.Memberships = slices.Clone(u.Memberships)
	return c
}

// features are the slugs of the organization's features, those of permissions
// included.
func (m Membership) features() []string {
	features := slices.Clone(m.Organization.Features)
	for _, permission := range m.Permissions {
		if feature, _ := splitPermission(permission); !slices.Contains(features, feature) {
			features = append(features, feature)
		}
	}
	return features
}

// splitPermission takes a permission's key apart: org:reports:read is
// permission read of feature reports.
func splitPermission(key string) (feature, name string) {
	feature, name, _ = strings.Cut(strings.TrimPrefix(key, "org:"), ":")
	return feature, name
}
