package jwt

import (
	"context"
	"crypto/rsa"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"fmt"
	"strings"
	"time"
)

// StaticKeySet is one public key that verifies whatever a token says of its
// key's id. Nothing is fetched.
type StaticKeySet struct{ key *Key }

// NewStaticKeySet reads an RSA public key as Clerk's dashboard shows it: PEM
// (SubjectPublicKeyInfo), or its base64 body alone. Line breaks may be written
// as the two characters \n, as in environment files.
func NewStaticKeySet(text string) (*StaticKeySet, error) {
	der, err := publicKeyDER(strings.TrimSpace(strings.ReplaceAll(text, `\n`, "\n")))
	if err != nil {
		return nil, err
	}
	parsed, err := x509.ParsePKIXPublicKey(der)
	if err != nil {
		return nil, errors.New("the text does not hold a public key")
	}
	public, ok := parsed.(*rsa.PublicKey)
	if !ok {
		return nil, errors.New("the key is not an RSA key")
	}
	if err := checkPublic(public); err != nil {
		return nil, fmt.Errorf("the key is not used: %w", err)
	}
	return &StaticKeySet{&Key{Algorithm: "RS256", Public: public}}, nil
}

// publicKeyDER returns the bytes inside a PEM block or a bare base64 body.
func publicKeyDER(text string) ([]byte, error) {
	if strings.HasPrefix(text, "-----BEGIN") {
		block, rest := pem.Decode([]byte(text))
		switch {
		case block == nil:
			return bareDER(strings.TrimSuffix(strings.TrimPrefix(text, "-----BEGIN PUBLIC KEY-----"), "-----END PUBLIC KEY-----"))
		case len(block.Headers) > 0:
			return nil, errors.New("the PEM block has headers")
		case block.Type != "PUBLIC KEY":
			return nil, fmt.Errorf("this is a %q, not a PUBLIC KEY", block.Type)
		case len(strings.TrimSpace(string(rest))) > 0:
			return nil, errors.New("there is something after the PEM block")
		}
		return block.Bytes, nil
	}
	return bareDER(text)
}

// bareDER returns the bytes of a base64 body, on however many lines.
func bareDER(text string) ([]byte, error) {
	der, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(text), ""))
	if err != nil {
		return nil, errors.New("the text is neither PEM nor base64")
	}
	return der, nil
}

// Key returns the key, whatever the id.
func (s *StaticKeySet) Key(context.Context, string, time.Time) (*Key, error) { return s.key, nil }

var _ KeySet = (*StaticKeySet)(nil)
