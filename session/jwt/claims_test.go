package jwt

import (
	"math/big"
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/mint"
)

func TestUnpackPermissions(t *testing.T) {
	t.Parallel()
	wide := strings.Join(slices.Repeat([]string{"p"}, 69), ",") + ",last"
	bit69 := new(big.Int).Lsh(big.NewInt(1), 69).String()
	const mixed = "o:articles,u:beta,o:reports,o:logs,ou:media,o:audit"
	ten := []string{
		"org:articles:read",
		"org:reports:create", "org:reports:read", "org:reports:update", "org:reports:delete", "org:reports:export",
		"org:media:create", "org:media:export", "org:audit:read", "org:audit:update",
	}
	none := []string{}
	tests := []struct {
		name          string
		fea, per, fpm string
		want          []string
		reference     []string
	}{
		{"bits from the least, permissions from the left", "o:a", "read,write,delete", "5", []string{"org:a:read", "org:a:delete"}, []string{"org:a:read", "org:a:delete"}},
		{"white space is trimmed", "o:a, o:b", "read, w", " 3 , 2", []string{"org:a:read", "org:a:w", "org:b:w"}, []string{"org:a:read", "org:a:w", "org:b:w"}},
		{"leading zeros", "o:a", "read,w", "02", []string{"org:a:w"}, []string{"org:a:w"}},
		{"a mask beyond 64 bits", "o:a", wide, bit69, []string{"org:a:last"}, []string{"org:a:last"}},
		{"bits beyond the permissions", "o:a", "read", "255", []string{"org:a:read"}, []string{"org:a:read"}},
		{"a hexadecimal mask grants nothing", "o:a", "read,w", "0x3", none, none},
		{"a signed mask grants nothing", "o:a", "read", "+1", none, none},
		{"an empty mask grants nothing", "o:a,o:b", "read", ",1", []string{"org:b:read"}, []string{"org:b:read"}},
		{"no permissions", "o:a", "", "1", none, none},
		{"no masks", "o:a", "read", "", none, none},
		{"no features", "", "read", "1", none, none},
		{"an unknown scope grants nothing", "x:a", "read", "1", none, none},
		{"a feature may hold colons", "o:a:b", "read", "1", []string{"org:a:b:read"}, []string{"org:a:b:read"}},

		{"as many masks as the organization has features", mixed, "create,read,update,delete,export", "2,31,0,17,6", ten, ten},
		{"as many masks as features in all", "u:ai,o:docs", "read,manage", "0,3", []string{"org:docs:read", "org:docs:manage"}, none},
		{"as many masks as features in all, the user's first", "u:x,o:a,o:b", "read,manage", "0,3,1",
			[]string{"org:a:read", "org:a:manage", "org:b:read"}, []string{"org:b:read", "org:b:manage"}},
		{"the user's features last", "o:a,o:b,u:x", "read,manage", "3,1,0",
			[]string{"org:a:read", "org:a:manage", "org:b:read"}, []string{"org:a:read", "org:a:manage", "org:b:read"}},
		{"too few masks for either grant what both grant", "o:a,u:x,o:b,o:c", "read,w", "3,1",
			[]string{"org:a:read", "org:a:w"}, []string{"org:a:read", "org:a:w", "org:b:read"}},
		{"too many masks for either grant what both grant", "u:x,o:a,o:b", "read,w", "3,1,2,3",
			[]string{"org:a:read"}, []string{"org:a:read", "org:a:w", "org:b:read"}},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			t.Parallel()
			for _, mode := range []struct {
				reference bool
				want      []string
			}{{false, tt.want}, {true, tt.reference}} {
				got, err := unpackPermissions(tt.fea, tt.per, tt.fpm, mode.reference)
				if err != nil || got == nil || !slices.Equal(got, mode.want) {
					t.Errorf("reference %v: got %q, %v; want %q", mode.reference, got, err, mode.want)
				}
			}
		})
	}
}

func TestUnpackPermissionsRefusesFeaturesWithoutAScope(t *testing.T) {
	t.Parallel()
	for _, fea := range []string{"docs", "o:docs,", ",", "o:docs,u"} {
		if got, err := unpackPermissions(fea, "read", "1", false); err == nil {
			t.Errorf("%q: got %q", fea, got)
		}
	}
}

func TestReadClaimsOfVersion1(t *testing.T) {
	t.Parallel()
	claims := object{
		"sub": "user_1", "org_id": "org_1", "org_slug": "acme", "org_role": "org:admin",
		"org_permissions": []any{"org:docs:read", "org:sys_profile:manage"},
		"o":               map[string]any{"id": "org_2", "rol": "owner"},
	}
	for name, version := range map[string]any{"no version": nil, "a version in text": "2", "a later version": float64(3)} {
		p, err := Expected{}.ReadClaims(mint.With(claims, object{"v": version}))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		if p.OrgID != "org_1" || p.OrgSlug != "acme" || p.OrgRole != "org:admin" || len(p.OrgPermissions) != 2 {
			t.Errorf("%s: %+v", name, p)
		}
	}
}

func TestReadClaimsOfVersion2IgnoresTheFlatClaims(t *testing.T) {
	t.Parallel()
	p, err := Expected{}.ReadClaims(object{"sub": "user_1", "v": float64(2), "org_id": "org_1", "org_role": "org:admin"})
	if err != nil || p.OrgID != "" || p.OrgRole != "" || p.OrgPermissions != nil {
		t.Errorf("%+v, %v", p, err)
	}
}

func TestReadClaimsTakesOrganizationsWithoutRoleOrSlug(t *testing.T) {
	t.Parallel()
	for _, slug := range []any{"", nil} {
		p, err := Expected{}.ReadClaims(object{"sub": "user_1", "v": float64(2), "o": map[string]any{"id": "org_1", "slg": slug}})
		if err != nil || p.OrgID != "org_1" || p.OrgRole != "" || p.OrgSlug != "" {
			t.Errorf("%+v, %v", p, err)
		}
	}
}

func TestReadClaimsNamesTheActor(t *testing.T) {
	t.Parallel()
	tests := map[string]struct {
		act       any
		reference bool
		want      string
		refused   bool
	}{
		"an actor":                                      {map[string]any{"sub": "user_admin"}, false, "user_admin", false},
		"an actor without a name":                       {map[string]any{}, false, "", true},
		"an actor that is text":                         {"user_admin", false, "", true},
		"an actor without a name, in the reference":     {map[string]any{}, true, "unknown", false},
		"an actor that is text, in the reference":       {"user_admin", true, "unknown", false},
		"an actor with a name like any other's, nested": {map[string]any{"sub": "user_a", "act": map[string]any{"sub": "user_b"}}, false, "user_a", false},
	}
	for name, tt := range tests {
		p, err := Expected{ReferenceCompat: tt.reference}.ReadClaims(object{"sub": "user_1", "act": tt.act})
		if (err != nil) != tt.refused || err == nil && p.Actor != tt.want {
			t.Errorf("%s: %+v, %v", name, p, err)
		}
	}
}

func TestFactorAges(t *testing.T) {
	t.Parallel()
	good := map[string][]any{
		"both": {float64(0), float64(5)}, "one": {float64(3), float64(-1)}, "neither": {float64(-1), float64(-1)}, "fractions": {0.5, 1.5},
	}
	for name, fva := range good {
		if got := factorAges(fva); !got.Known || got.First != fva[0] || got.Second != fva[1] {
			t.Errorf("%s: %+v", name, got)
		}
	}
	bad := map[string]any{
		"absent": nil, "text": "0,0", "texts": []any{"0", "0"}, "one": []any{float64(1)}, "three": []any{float64(1), float64(1), float64(1)},
		"less than never": []any{float64(-2), float64(0)}, "between": []any{-0.5, float64(0)}, "null": []any{nil, float64(0)},
	}
	for name, fva := range bad {
		if got := factorAges(fva); got != (policy.FactorAges{}) {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
