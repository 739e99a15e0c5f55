package policy

import (
	"slices"
	"strings"
)

// Attribute is one fact about a principal, under the one name that it has wherever
// principals are described: as a source of identity_headers, as a field of
// expressions, as a placeholder of Caddy and in the metadata of Envoy.
type Attribute struct {
	Name string
	// Separator joins the values of an attribute that is a list; "" for one that
	// is a text.
	Separator string

	text func(p *Principal) string
	list func(p *Principal) []string
}

// attributes are all there are, in the order in which they are named to people.
// Each is documented in docs/policy.md.
var attributes = []Attribute{
	{Name: "user_id", text: func(p *Principal) string { return p.UserID }},
	{Name: "session_id", text: func(p *Principal) string { return p.SessionID }},
	{Name: "org_id", text: func(p *Principal) string { return p.OrgID }},
	{Name: "org_slug", text: func(p *Principal) string { return p.OrgSlug }},
	{Name: "org_role", text: func(p *Principal) string { return p.OrgRole }},
	{Name: "org_permissions", Separator: ",", list: func(p *Principal) []string { return p.OrgPermissions }},
	{Name: "token_type", text: func(p *Principal) string { return string(p.TokenType) }},
	{Name: "actor", text: func(p *Principal) string { return p.Actor }},
	{Name: "machine_id", text: func(p *Principal) string { return p.MachineID }},
	{Name: "client_id", text: func(p *Principal) string { return p.ClientID }},
	{Name: "scopes", Separator: " ", list: func(p *Principal) []string { return p.Scopes }},
}

// Attributes lists the attributes of principals.
func Attributes() []Attribute { return slices.Clone(attributes) }

// AttributeNamed returns the attribute of that name.
func AttributeNamed(name string) (Attribute, bool) {
	i := slices.IndexFunc(attributes, func(a Attribute) bool { return a.Name == name })
	if i < 0 {
		return Attribute{}, false
	}
	return attributes[i], true
}

// attributeNames are the names of all.
func attributeNames() []string {
	names := make([]string, len(attributes))
	for i := range attributes {
		names[i] = attributes[i].Name
	}
	return names
}

// IsList reports whether the attribute has several values.
func (a *Attribute) IsList() bool { return a.list != nil }

// Text returns the attribute of p as text, a list joined by its separator; "" where
// p does not have it.
func (a *Attribute) Text(p *Principal) string {
	if a.IsList() {
		return strings.Join(a.list(p), a.Separator)
	}
	return a.text(p)
}

// value is the attribute of p as expressions have it.
func (a *Attribute) value(p *Principal) any {
	if a.IsList() {
		return a.list(p)
	}
	return a.text(p)
}
