package clerktest

import (
	"crypto/rand"
	"crypto/rsa"
	"encoding/base64"
	"encoding/json"
	"fmt"
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
	// Age is how long ago the token was minted.
	Age time.Duration
	// Stranger signs with a key that the instance does not publish, under the
	// id of one that it does.
	Stranger bool
	// Unsigned has alg none and no signature (RFC 7519 § 6.1).
	Unsigned bool
}

// Mint makes a token of a session. It panics where a claim cannot be written as
// JSON, which is a mistake of the test's own.
func (i *Instance) Mint(s *Session, t Token) string {
	claims := i.claims(s, t)
	key := i.signing()
	header := map[string]any{"typ": "JWT", "cat": categorySession, "kid": key.id}
	override(claims, t.Claims)
	override(header, t.Header)
	switch {
	case t.Unsigned:
		header["alg"] = "none"
		return segment(header) + "." + segment(claims) + "."
	case t.Stranger:
		key = i.stranger()
	}
	return sign(key.private, header, claims)
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
	addEntitlements(claims, s.User, m)
	if t.Version1 {
		addOrganizationV1(claims, m)
		return claims
	}
	claims["v"] = 2
	addOrganizationV2(claims, s.User, m)
	return claims
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
func sign(key *rsa.PrivateKey, header, claims map[string]any) string {
	options := &jose.SignerOptions{}
	for name, value := range header {
		options.WithHeader(jose.HeaderKey(name), value)
	}
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, options)
	if err != nil {
		panic(err) // every RSA key signs with RS256
	}
	signed, err := signer.Sign(encode(claims))
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}

// segment is one part of a compact token.
func segment(object map[string]any) string {
	return base64.RawURLEncoding.EncodeToString(encode(object))
}

func encode(object map[string]any) []byte {
	text, err := json.Marshal(object)
	if err != nil {
		panic(fmt.Sprintf("clerktest: minting a token: %v", err))
	}
	return text
}
