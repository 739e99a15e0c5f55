package assertion

import (
	"cmp"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"github.com/go-jose/go-jose/v4"
	"github.com/go-jose/go-jose/v4/jwt"
	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
)

const (
	defaultIssuer   = "clerkgate"
	defaultLifetime = time.Minute
	// tolerance is how far an upstream's clock may be behind ours.
	tolerance = 10 * time.Second
	// maxCached bounds how many assertions are cached.
	maxCached = 16384
)

// Issuer signs assertions. It caches that of a credential for the first half of its
// lifetime. It is safe for concurrent use.
type Issuer struct {
	issuer   string
	audience jwt.Audience
	lifetime time.Duration
	signer   jose.Signer
	keySet   []byte // the public keys, as they are published
	cache    *otter.Cache[string, *signed]
}

// signed is a cached assertion, and the time until which it is used.
type signed struct {
	about *policy.Principal
	text  string
	until time.Time
}

// New returns an issuer for a configuration. Its error, for an invalid signing key, is a
// [policy.ConfigError] and contains nothing of the key.
func New(config policy.Assertion) (*Issuer, error) {
	keys, err := newKeyring(config)
	if err != nil {
		return nil, &policy.ConfigError{Path: "assertion.key", Msg: err.Error(), Suggestion: "make one: openssl genpkey -algorithm ed25519"}
	}
	key := jose.SigningKey{Algorithm: jose.SignatureAlgorithm(keys.signing.Algorithm), Key: keys.signing}
	signer, err := jose.NewSigner(key, new(jose.SignerOptions).WithType("JWT"))
	if err != nil {
		return nil, errors.New("the signing key of assertions does not sign")
	}
	keySet, err := json.Marshal(jose.JSONWebKeySet{Keys: keys.public})
	if err != nil {
		return nil, fmt.Errorf("publishing the keys of assertions: %w", err)
	}
	return &Issuer{
		issuer:   cmp.Or(config.Issuer, defaultIssuer),
		audience: jwt.Audience(config.Audience),
		lifetime: cmp.Or(config.Lifetime.Std(), defaultLifetime),
		signer:   signer,
		keySet:   keySet,
		cache:    otter.Must(&otter.Options[string, *signed]{MaximumSize: maxCached}),
	}, nil
}

// Assertion implements [policy.Assertions]: it returns a JSON Web Token about the
// principal, which expires with the principal's own token at the latest.
func (i *Issuer) Assertion(p *policy.Principal, now time.Time) (string, error) {
	if known, ok := i.cache.GetIfPresent(p.TokenDigest); ok && now.Before(known.until) && sameClaims(known.about, p) {
		return known.text, nil
	}
	expires := now.Add(i.lifetime)
	if !p.ExpiresAt.IsZero() && p.ExpiresAt.Before(expires) {
		expires = p.ExpiresAt
	}
	text, err := i.sign(p, now, expires)
	if err != nil {
		return "", err
	}
	if p.TokenDigest != "" {
		i.cache.Set(p.TokenDigest, &signed{p, text, now.Add(i.lifetime / 2)})
	}
	return text, nil
}

func (i *Issuer) sign(p *policy.Principal, now, expires time.Time) (string, error) {
	subject := subjectOf(p)
	if subject == "" {
		return "", errors.New("the principal has no subject")
	}
	standard := jwt.Claims{
		Issuer: i.issuer, Audience: i.audience, Subject: subject, ID: rand.Text(),
		IssuedAt: jwt.NewNumericDate(now), NotBefore: jwt.NewNumericDate(now.Add(-tolerance)), Expiry: jwt.NewNumericDate(expires),
	}
	text, err := jwt.Signed(i.signer).Claims(standard).Claims(claimsOf(p)).Serialize()
	if err != nil {
		return "", errors.New("the assertion could not be signed")
	}
	return text, nil
}

var _ policy.Assertions = (*Issuer)(nil)
