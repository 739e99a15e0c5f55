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

// The classes of tokens (header cat).
const (
	categorySession  = "cl_B7d4PD111AAA" // handshakes too
	categoryTemplate = "cl_B7d4PD222AAA"
	categoryMachine  = "cl_B7d4PD333AAA"
)

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

// Mint makes a token of a session, as the session is now. It panics where a
// claim cannot be written as JSON, which is a mistake of the test's own.
func (i *Instance) Mint(s *Session, t Token) string {
	if now := i.Session(s.ID); now != nil {
		s = now
	}
	return i.mintAs(map[string]any{"typ": "JWT", "cat": categorySession}, i.claims(s, t), t)
}

// mintAs signs what a description makes of header and claims.
func (i *Instance) mintAs(header, claims map[string]any, t Token) string {
	key := i.signing()
	header["kid"] = key.id
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
	claims := i.registered(s.User.ID, t.Age, i.options.TokenLifetime)
	claims["sid"], claims["sts"] = s.ID, s.Status
	claims["fva"] = s.factorAges(i.options.Now().Add(-t.Age))
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

// registered are the claims that tokens of all kinds have (RFC 7519 § 4.1).
func (i *Instance) registered(subject string, age, lifetime time.Duration) map[string]any {
	minted := i.options.Now().Add(-age)
	return map[string]any{
		"iss": i.Issuer(), "sub": subject, "jti": rand.Text(),
		"iat": minted.Unix(), "nbf": minted.Add(-10 * time.Second).Unix(), "exp": minted.Add(lifetime).Unix(),
	}
}

// Template is a JWT template: tokens of its own shape for other services. They
// name no session and are no session tokens.
type Template struct {
	// Claims are added to the registered ones.
	Claims map[string]any
	// Lifetime is how long the tokens hold. Default: 60 s.
	Lifetime time.Duration
}

// fill makes a token by a template.
func (i *Instance) fill(t Template, s *Session) string {
	lifetime := t.Lifetime
	if lifetime == 0 {
		lifetime = time.Minute
	}
	claims := i.registered(s.User.ID, 0, lifetime)
	override(claims, t.Claims)
	key := i.signing()
	return sign(key.private, map[string]any{"typ": "JWT", "cat": categoryTemplate, "kid": key.id}, claims)
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
