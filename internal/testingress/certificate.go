package testingress

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"testing"
	"time"
)

// Host is the host of the manifests in examples/ingress.
const Host = "app.example.com"

// Certificate is one of [Host], which whoever has it trusts.
type Certificate struct {
	// Chain and Key are in PEM.
	Chain, Key string
	pool       *x509.CertPool
}

// NewCertificate makes one.
func NewCertificate(tb testing.TB) *Certificate {
	tb.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		tb.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), DNSNames: []string{Host}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(24 * time.Hour),
		KeyUsage: x509.KeyUsageDigitalSignature, ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageServerAuth},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		tb.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		tb.Fatal(err)
	}
	c := &Certificate{
		Chain: string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})),
		Key:   string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})),
		pool:  x509.NewCertPool(),
	}
	c.pool.AppendCertsFromPEM([]byte(c.Chain))
	return c
}

// secret is a manifest of the certificate.
func (c *Certificate) secret(name, namespace string) string {
	encode := base64.StdEncoding.EncodeToString
	return fmt.Sprintf("apiVersion: v1\nkind: Secret\nmetadata: { name: %s, namespace: %s }\ntype: kubernetes.io/tls\ndata: { tls.crt: %s, tls.key: %s }\n",
		name, namespace, encode([]byte(c.Chain)), encode([]byte(c.Key)))
}

// Client is how clients speak TLS to Envoy.
func (c *Certificate) Client() *tls.Config {
	return &tls.Config{RootCAs: c.pool, ServerName: Host, MinVersion: tls.VersionTLS12}
}

// Plain is an address of the test at which a server behind TLS can be sent any bytes.
func (c *Certificate) Plain(tb testing.TB, server string) string {
	tb.Helper()
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() { listener.Close() })
	go func() {
		for {
			client, err := listener.Accept()
			if err != nil {
				return // the test is over
			}
			go c.join(client, server)
		}
	}()
	return listener.Addr().String()
}

// join copies between a client and a server behind TLS until either is done.
func (c *Certificate) join(client net.Conn, server string) {
	defer client.Close()
	conn, err := tls.Dial("tcp", server, c.Client())
	if err != nil {
		return // the client sees its connection closed
	}
	defer conn.Close()
	go func() {
		_, _ = io.Copy(conn, client) // what was lost shows in the answer
		_ = conn.CloseWrite()
	}()
	_, _ = io.Copy(client, conn)
}
