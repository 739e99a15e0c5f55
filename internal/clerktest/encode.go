package clerktest

import (
	"math/big"
	"slices"
	"strings"
)

// addEntitlements sets claims fea and pla: comma separated slugs, each with the
// scopes that have it. The organization's come first.
func addEntitlements(claims map[string]any, u User, m *Membership) {
	var features, plans []string
	if m != nil {
		features, plans = m.features(), m.Organization.Plans
	}
	setText(claims, "fea", scoped(features, u.Features))
	setText(claims, "pla", scoped(plans, u.Plans))
}

// scoped writes o:slug, u:slug, or ou:slug where both have it.
func scoped(org, user []string) string {
	var elements []string
	for _, slug := range org {
		scope := "o:"
		if slices.Contains(user, slug) {
			scope = "ou:"
		}
		elements = append(elements, scope+slug)
	}
	for _, slug := range usersOwn(org, user) {
		elements = append(elements, "u:"+slug)
	}
	return strings.Join(elements, ",")
}

// usersOwn are the slugs that the organization does not have.
func usersOwn(org, user []string) []string {
	return slices.DeleteFunc(slices.Clone(user), func(slug string) bool { return slices.Contains(org, slug) })
}

// addOrganizationV1 sets the flat claims of version 1.
func addOrganizationV1(claims map[string]any, m *Membership) {
	if m == nil {
		return
	}
	claims["org_id"] = m.Organization.ID
	claims["org_slug"] = m.Organization.Slug
	claims["org_role"] = m.Role
	claims["org_permissions"] = append([]string{}, m.Permissions...) // a list, also when empty
}

// addOrganizationV2 sets claim o. Its permissions are the names in use (per) and
// one mask for each element of claim fea (fpm): bit i, the least significant
// first, grants name i.
func addOrganizationV2(claims map[string]any, u User, m *Membership) {
	if m == nil {
		return
	}
	o := map[string]any{"id": m.Organization.ID}
	claims["o"] = o
	setText(o, "slg", m.Organization.Slug)
	setText(o, "rol", strings.TrimPrefix(m.Role, "org:"))
	names, masks := m.masks()
	for range usersOwn(m.features(), u.Features) {
		masks = append(masks, "0") // the user's own features grant nothing in an organization
	}
	if len(names) > 0 {
		o["per"], o["fpm"] = strings.Join(names, ","), strings.Join(masks, ",")
	}
}

// masks are the distinct names of the permissions, and one mask for each of the
// features.
func (m *Membership) masks() (names, masks []string) {
	features := m.features()
	granted := make([]big.Int, len(features))
	for _, key := range m.Permissions {
		feature, name := splitPermission(key)
		bit := slices.Index(names, name)
		if bit < 0 {
			bit = len(names)
			names = append(names, name)
		}
		mask := &granted[slices.Index(features, feature)]
		mask.SetBit(mask, bit, 1)
	}
	for i := range granted {
		masks = append(masks, granted[i].String())
	}
	return names, masks
}

// setText sets a member that Clerk leaves out when it is empty.
func setText(object map[string]any, name, text string) {
	if text != "" {
		object[name] = text
	}
}
