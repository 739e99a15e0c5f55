package extauthz

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"slices"
	"sync/atomic"

	"github.com/clerkgate/clerkgate/internal/document"
)

// TLSFiles are the paths of the server's certificates and key, in PEM.
type TLSFiles struct {
	// Cert and Key are the files of the server's certificate chain and its private key.
	// Both are required.
	Cert, Key string
	// ClientCA is the file of the authorities of client certificates. With it, every
	// client must have a certificate that one of them signed (mTLS). Default: none.
	ClientCA string
	// ClientSANs are subject alternative names, of which a client certificate must have
	// one: DNS names or URIs such as spiffe://cluster/envoy, compared exactly. They
	// require ClientCA. Default: every client certificate of the authorities is accepted.
	ClientSANs []string
}

// Config reads the files. It returns an error if one is missing or invalid. They are
// read again for each connection, so that renewed certificates take effect; while they
// cannot be read, the last valid ones stay in use.
func (f TLSFiles) Config() (*tls.Config, error) {
	if f.ClientCA == "" && len(f.ClientSANs) > 0 {
		return nil, errors.New("client names are set, but no client CA")
	}
	if f.Cert == "" || f.Key == "" {
		return nil, errors.New("reading the server's certificate: a certificate and its key are both required")
	}
	first, err := f.load()
	if err != nil {
		return nil, err
	}
	var last atomic.Pointer[tls.Config]
	last.Store(first)
	config := first.Clone()
	config.GetConfigForClient = func(*tls.ClientHelloInfo) (*tls.Config, error) {
		if fresh, err := f.load(); err == nil {
			last.Store(fresh)
		}
		return last.Load(), nil
	}
	return config, nil
}

func (f TLSFiles) load() (*tls.Config, error) {
	certificate, err := f.certificate()
	if err != nil {
		return nil, fmt.Errorf("reading the server's certificate: %w", err)
	}
	config := &tls.Config{
		MinVersion:   tls.VersionTLS12,
		Certificates: []tls.Certificate{certificate},
		NextProtos:   []string{"h2"},
		// A resumed session would not be verified against changed authorities.
		SessionTicketsDisabled: true,
	}
	if f.ClientCA == "" {
		return config, nil
	}
	pem, err := document.ReadFile(f.ClientCA)
	if err != nil {
		return nil, fmt.Errorf("reading the client CA: %w", err)
	}
	config.ClientCAs = x509.NewCertPool()
	if !config.ClientCAs.AppendCertsFromPEM(pem) {
		return nil, fmt.Errorf("reading the client CA: no certificate in %q", f.ClientCA)
	}
	config.ClientAuth = tls.RequireAndVerifyClientCert
	if len(f.ClientSANs) > 0 {
		config.VerifyConnection = f.verifyClient
	}
	return config, nil
}

func (f TLSFiles) certificate() (tls.Certificate, error) {
	chain, err := document.ReadFile(f.Cert)
	if err != nil {
		return tls.Certificate{}, err
	}
	key, err := document.ReadFile(f.Key)
	if err != nil {
		return tls.Certificate{}, err
	}
	return tls.X509KeyPair(chain, key)
}

// verifyClient checks the names of a client certificate, after its chain was verified.
func (f TLSFiles) verifyClient(state tls.ConnectionState) error {
	if len(state.PeerCertificates) == 0 {
		return errors.New("no client certificate")
	}
	leaf := state.PeerCertificates[0]
	allowed := slices.ContainsFunc(leaf.DNSNames, func(name string) bool { return slices.Contains(f.ClientSANs, name) })
	for _, uri := range leaf.URIs {
		allowed = allowed || slices.Contains(f.ClientSANs, uri.String())
	}
	if !allowed {
		return errors.New("the client certificate has none of the names allowed")
	}
	return nil
}
