package clerktest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-jose/go-jose/v4"
)

// categorySession is the class of session tokens (header cat).
const categorySession = "cl_B7d4PD111AAA"

// Token says how a token differs from the one Clerk would mint. The zero value
// is an ordinary session token.
type Token struct {
	// Claims and Header replace members; nil values remove them.
	Claims, Header map[string]any
	// Version1 has the organization in flat claims, as tokens had before v2.
	Version1 bool
	// Stranger signs with a key that the instance does not publish.
	Stranger bool
	// Age is how long ago the token was minted.
	Age time.Duration
}

// Mint makes a token of a session.
func (i *Instance) Mint(s *Session, t Token) string {
	claims := i.claims(s, t)
	header := map[string]any{"typ": "JWT", "cat": categorySession}
	key := i.signing()
	if t.Stranger {
		key.private = i.stranger().private
	}
	override(claims, t.Claims)
	override(header, t.Header)
	return sign(key, header, claims)
}

// claims are those of a session token (version 2 unless asked otherwise).
func (i *Instance) claims(s *Session, t Token) map[string]any {
	minted := i.options.Now().Add(-t.Age)
	claims := map[string]any{
		"iss": i.Issuer(), "sub": s.User.ID, "sid": s.ID, "sts": "active", "jti": rand.Text(),
		"iat": minted.Unix(), "nbf": minted.Add(-10 * time.Second).Unix(), "exp": minted.Add(i.options.TokenLifetime).Unix(),
		"fva": s.factorAges(minted),
	}
	if len(i.options.Origins) > 0 {
		claims["azp"] = i.options.Origins[0]
	}
	m := s.membership()
	if t.Version1 {
		if m != nil {
			maps.Copy(claims, map[string]any{"org_id": m.Organization.ID, "org_slug": m.Organization.Slug, "org_role": m.Role, "org_permissions": m.Permissions})
		}
		return claims
	}
	claims["v"] = 2
	addEntitlements(claims, s.User, m)
	return claims
}

// addEntitlements encodes features, plans and permissions as version 2 has
// them: one mask for each element of fea, whose bits pick from o.per.
func addEntitlements(claims map[string]any, u User, m *Membership) {
	var features, masks, plans, names []string
	if m != nil {
		for _, permission := range m.Permissions {
			if _, name := splitPermission(permission); !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
		for _, feature := range m.features() {
			features = append(features, "o:"+feature)
			masks = append(masks, strconv.FormatUint(m.mask(feature, names), 10))
		}
		plans = scoped("o:", m.Organization.Plans)
		claims["o"] = map[string]any{"id": m.Organization.ID, "slg": m.Organization.Slug, "rol": strings.TrimPrefix(m.Role, "org:"),
			"per": strings.Join(names, ","), "fpm": strings.Join(masks, ",")}
	}
	features = append(features, scoped("u:", u.Features)...)
	plans = append(plans, scoped("u:", u.Plans)...)
	if len(features) > 0 {
		claims["fea"] = strings.Join(features, ",")
	}
	if len(plans) > 0 {
		claims["pla"] = strings.Join(plans, ",")
	}
}

// mask has the bit of each name that the membership permits on the feature.
func (m *Membership) mask(feature string, names []string) uint64 {
	var mask uint64
	for bit, name := range names {
		if slices.Contains(m.Permissions, "org:"+feature+":"+name) {
			mask |= 1 << bit
		}
	}
	return mask
}

func scoped(scope string, slugs []string) []string {
	out := make([]string, len(slugs))
	for i, slug := range slugs {
		out[i] = scope + slug
	}
	return out
}

// override replaces members, and removes those with a nil value.
func override(object, changes map[string]any) {
	for name, value := range changes {
		if value == nil {
			delete(object, name)
		} else {
			object[name] = value
		}
	}
}

// sign makes a compact token (RFC 7515 § 7.1).
func sign(key signingKey, header, claims map[string]any) string {
	options := (&jose.SignerOptions{}).WithHeader("kid", key.id)
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	return must(signWith(key.private, options, claims))
}

func signWith(key *rsa.PrivateKey, options *jose.SignerOptions, claims map[string]any) (string, error) {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, options)
	if err != nil {
		return "", err
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		return "", err
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		return "", err
	}
	return signed.CompactSerialize()
}

// must is for what fails only by a mistake of the test's own.
func must(token string, err error) string {
	if err != nil {
		panic(fmt.Sprintf("clerktest: minting a token: %v", err))
	}
	return token
}
