package session

import (
	"cmp"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// machineType is all that is particular to one type of machine token.
type machineType struct {
	// prefix begins opaque tokens of the type.
	prefix string
	// path is where the Backend API verifies those, right under its base: the version
	// goes in a header. The request holds the token under the name member.
	path, member string
	// secret is the key that Clerk is asked with.
	secret func(cfg *Config) string
	// subjects are what the subjects of its tokens begin with, and assign makes one
	// that does the subject of p.
	subjects []string
	assign   func(p *policy.Principal, i *machineIdentity)
}

// machineTypes are the types of machine tokens. No other is accepted.
var machineTypes = map[policy.TokenType]*machineType{
	policy.APIKey: {
		prefix: "ak_", path: "/api_keys/verify", member: "secret",
		secret:   func(cfg *Config) string { return cfg.SecretKey },
		subjects: []string{"user_", "org_"},
		assign: func(p *policy.Principal, i *machineIdentity) {
			if strings.HasPrefix(i.subject, "user_") {
				p.UserID = i.subject
			} else if strings.HasPrefix(i.subject, "org_") {
				p.OrgID = i.subject
			}
		},
	},
	policy.M2MToken: {
		prefix: "mt_", path: "/m2m_tokens/verify", member: "token",
		secret:   func(cfg *Config) string { return cmp.Or(cfg.MachineSecretKey, cfg.SecretKey) },
		subjects: []string{machineSubject},
		assign:   func(p *policy.Principal, i *machineIdentity) { p.MachineID = i.subject },
	},
	policy.OAuthToken: {
		prefix: "oat_", path: "/oauth_applications/access_tokens/verify", member: "access_token",
		secret:   func(cfg *Config) string { return cfg.SecretKey },
		subjects: []string{"user_"},
		assign:   func(p *policy.Principal, i *machineIdentity) { p.UserID, p.ClientID = i.subject, i.clientID },
	},
}

// opaqueType returns the type that the prefix of an opaque token names, or "".
func opaqueType(text string) policy.TokenType {
	prefix, _, ok := strings.Cut(text[:min(len(text), longestPrefix)], "_")
	if !ok { // most are JSON Web Tokens
		return ""
	}
	for name, t := range machineTypes {
		if prefix+"_" == t.prefix {
			return name
		}
	}
	return ""
}

// longestPrefix is how far into a token its prefix may reach, in bytes.
const longestPrefix = 4
