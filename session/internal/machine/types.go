package machine

import (
	"cmp"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// tokenType is all that is particular to one type of machine token.
type tokenType struct {
	// prefix begins opaque tokens of the type.
	prefix string
	// path is where the Backend API verifies those, right under its base: the version
	// goes in a header. The request holds the token under the name member.
	path, member string
	// secret is the key that Clerk is asked with.
	secret func(o *Options) string
}

// tokenTypes are the types of machine tokens. No other is accepted.
var tokenTypes = map[policy.TokenType]*tokenType{
	policy.APIKey: {
		prefix: "ak_", path: "/api_keys/verify", member: "secret",
		secret: func(o *Options) string { return o.SecretKey },
	},
	policy.M2MToken: {
		prefix: "mt_", path: "/m2m_tokens/verify", member: "token",
		secret: func(o *Options) string { return cmp.Or(o.MachineSecretKey, o.SecretKey) },
	},
	policy.OAuthToken: {
		prefix: "oat_", path: "/oauth_applications/access_tokens/verify", member: "access_token",
		secret: func(o *Options) string { return o.SecretKey },
	},
}

// opaqueType returns the type that the prefix of an opaque token names, or "".
func opaqueType(text string) policy.TokenType {
	prefix, _, ok := strings.Cut(text[:min(len(text), longestPrefix)], "_")
	if !ok { // most are JSON Web Tokens
		return ""
	}
	for name, t := range tokenTypes {
		if prefix+"_" == t.prefix {
			return name
		}
	}
	return ""
}

// longestPrefix is how far into a token its prefix may reach, in bytes.
const longestPrefix = 4
