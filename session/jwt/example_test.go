package jwt_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"time"

	jose "github.com/go-jose/go-jose/v4"

	"github.com/clerkgate/clerkgate/session/jwt"
)

// A session token is verified with the public key of Clerk's dashboard. Here a key made
// for the example stands in Clerk's place.
func Example() {
	private, _ := rsa.GenerateKey(rand.Reader, 2048)
	der, _ := x509.MarshalPKIXPublicKey(&private.PublicKey)
	fromDashboard := string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der}))

	keys, err := jwt.NewStaticKeySet(fromDashboard)
	if err != nil {
		fmt.Println(err)
		return
	}
	verifier := jwt.NewVerifier(jwt.Expected{
		Issuers:           []string{"https://clerk.example.com"},
		AuthorizedParties: []string{"https://app.example.com"},
		Leeway:            5 * time.Second,
	}, keys, jwt.NewCache())

	now := time.Now()
	for _, expires := range []time.Time{now.Add(time.Minute), now.Add(-time.Minute)} {
		token := sign(private, fmt.Sprintf(`{"iss":"https://clerk.example.com","azp":"https://app.example.com","sub":"user_2abc","exp":%d}`, expires.Unix()))
		principal, err := verifier.Verify(context.Background(), token, now)
		if err != nil {
			fmt.Println(jwt.ReasonOf(err))
			continue
		}
		fmt.Println(principal.UserID)
	}
	// Output:
	// user_2abc
	// token-expired
}

func sign(key *rsa.PrivateKey, claims string) string {
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: jose.RS256, Key: key}, (&jose.SignerOptions{}).WithType("JWT"))
	if err != nil {
		panic(err)
	}
	signed, err := signer.Sign([]byte(claims))
	if err != nil {
		panic(err)
	}
	token, err := signed.CompactSerialize()
	if err != nil {
		panic(err)
	}
	return token
}
