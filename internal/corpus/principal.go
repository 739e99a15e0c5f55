package corpus

import (
	"reflect"

	"github.com/clerkgate/clerkgate/policy"
)

// WholePrincipal is a principal that has every attribute, each with a value that no
// other has. No token makes one.
func WholePrincipal() *policy.Principal {
	return &policy.Principal{
		TokenType: "the-token-type", UserID: "the-user", SessionID: "the-session",
		OrgID: "the-org", OrgSlug: "the-slug", OrgRole: "the-role", OrgPermissions: []string{"permission-1", "permission-2"},
		Actor: "the-actor", MachineID: "the-machine", ClientID: "the-client", Scopes: []string{"scope-1", "scope-2"},
	}
}

// PrincipalsByField are principals that have a single field of [WholePrincipal] each,
// by its name.
func PrincipalsByField() map[string]*policy.Principal {
	whole := reflect.ValueOf(WholePrincipal()).Elem()
	all := map[string]*policy.Principal{}
	for i := range whole.NumField() {
		if field := whole.Type().Field(i); field.IsExported() && !whole.Field(i).IsZero() {
			one := &policy.Principal{}
			reflect.ValueOf(one).Elem().Field(i).Set(whole.Field(i))
			all[field.Name] = one
		}
	}
	return all
}
