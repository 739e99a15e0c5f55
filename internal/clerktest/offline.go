package clerktest

import (
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"encoding/pem"
	"fmt"
	"testing"
)

// OfflineKey is the publishable key of an instance that is nowhere.
const OfflineKey = "pk_live_Y2xlcmsuZXhhbXBsZS5jb20k"

// OfflineDocument is the clerk section of a policy document, in one line, for an
// instance that is nowhere: its key is in the document, and belongs to nobody.
func OfflineDocument(tb testing.TB) string {
	tb.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		tb.Fatal(err)
	}
	der, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		tb.Fatal(err)
	}
	quoted, err := json.Marshal(string(pem.EncodeToMemory(&pem.Block{Type: "PUBLIC KEY", Bytes: der})))
	if err != nil {
		tb.Fatal(err)
	}
	return fmt.Sprintf("clerk: {publishable_key: %s, jwt_key: %s, authorized_parties: https://app.example.com}\n", OfflineKey, quoted)
}
