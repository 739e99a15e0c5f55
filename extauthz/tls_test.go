package extauthz

import (
	"crypto/tls"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	healthv1 "google.golang.org/grpc/health/grpc_health_v1"
	"google.golang.org/grpc/status"
)

// serveTLS starts a server with the given files and returns its address.
func serveTLS(t *testing.T, files TLSFiles) string {
	t.Helper()
	config, err := files.Config()
	if err != nil {
		t.Fatal(err)
	}
	listener := listenTCP(t)
	serve(t, listener, newServer(t, integrationPolicy(t), Options{Timeout: 10 * time.Second}), ServeOptions{TLS: config})
	return listener.Addr().String()
}

// call asks for the server's health, over a connection of its own.
func call(t *testing.T, address string, config *tls.Config) error {
	t.Helper()
	conn, err := grpc.NewClient(address, grpc.WithTransportCredentials(credentials.NewTLS(config)))
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	_, err = healthv1.NewHealthClient(conn).Check(t.Context(), &healthv1.HealthCheckRequest{})
	return err
}

func TestOnlyClientsWithTheRightCertificateAreAnswered(t *testing.T) {
	t.Parallel()
	ours, others := newAuthority(t), newAuthority(t)
	cert, key := ours.issue("server", "authz.internal")
	address := serveTLS(t, TLSFiles{Cert: cert, Key: key, ClientCA: ours.file, ClientSANs: []string{"spiffe://cluster/envoy", "envoy.internal"}})
	with := func(a *authority, name string) *tls.Config {
		config := ours.client(a.issue("client", name))
		return config
	}
	old := with(ours, "envoy.internal")
	old.MaxVersion = tls.VersionTLS11
	for name, c := range map[string]struct {
		config *tls.Config
		want   codes.Code
	}{
		"a URI that is allowed":         {with(ours, "spiffe://cluster/envoy"), codes.OK},
		"a DNS name that is allowed":    {with(ours, "envoy.internal"), codes.OK},
		"a name below one that is":      {with(ours, "spiffe://cluster/envoy/x"), codes.Unavailable},
		"a name that is not":            {with(ours, "spiffe://cluster/other"), codes.Unavailable},
		"the name of another authority": {with(others, "spiffe://cluster/envoy"), codes.Unavailable},
		"no certificate":                {ours.client("", ""), codes.Unavailable},
		"an old version of TLS":         {old, codes.Unavailable},
	} {
		if got := status.Code(call(t, address, c.config)); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestRenewedCertificatesTakeEffect(t *testing.T) {
	t.Parallel()
	before, after := newAuthority(t), newAuthority(t)
	cert, key := before.issue("server", "authz.internal")
	address := serveTLS(t, TLSFiles{Cert: cert, Key: key})
	if err := call(t, address, before.client("", "")); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(cert, []byte("half of"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := call(t, address, before.client("", "")); err != nil {
		t.Errorf("while the file is written: %v", err)
	}
	newCert, newKey := after.issue("server", "authz.internal")
	for from, to := range map[string]string{newCert: cert, newKey: key} {
		if err := os.Rename(from, to); err != nil {
			t.Fatal(err)
		}
	}
	if err := call(t, address, after.client("", "")); err != nil {
		t.Errorf("afterwards: %v", err)
	}
}

func TestFilesThatAreNoKeyMaterialAreErrors(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue("server", "authz.internal")
	_, otherKey := a.issue("other", "authz.internal")
	for name, c := range map[string]struct {
		files TLSFiles
		want  string
	}{
		"no files":             {TLSFiles{}, "reading the server's certificate"},
		"no key":               {TLSFiles{Cert: cert}, "reading the server's certificate"},
		"another's key":        {TLSFiles{Cert: cert, Key: otherKey}, "reading the server's certificate"},
		"no authority there":   {TLSFiles{Cert: cert, Key: key, ClientCA: filepath.Join(a.dir, "none")}, "reading the client CA"},
		"a key as authority":   {TLSFiles{Cert: cert, Key: key, ClientCA: key}, "no certificate in"},
		"names, but no issuer": {TLSFiles{Cert: cert, Key: key, ClientSANs: []string{"envoy.internal"}}, "no client CA"},
	} {
		if _, err := c.files.Config(); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want %q", name, err, c.want)
		}
	}
}

// Envoy speaks to the server over mutual TLS, and one without a certificate
// gets nothing past it.
func TestEnvoyOverMutualTLS(t *testing.T) {
	t.Parallel()
	a := newAuthority(t)
	cert, key := a.issue("server", "authz.internal")
	clientCert, clientKey := a.issue("client", "spiffe://cluster/envoy")
	address := serveTLS(t, TLSFiles{Cert: cert, Key: key, ClientCA: a.file, ClientSANs: []string{"spiffe://cluster/envoy"}})
	transport := func(certificates string) string {
		return fmt.Sprintf(`transport_socket: { name: envoy.transport_sockets.tls, typed_config: {
          "@type": type.googleapis.com/envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext, sni: authz.internal, common_tls_context: { %s
          validation_context: { trusted_ca: { filename: %q }, match_typed_subject_alt_names: [ { san_type: DNS, matcher: { exact: authz.internal } } ] } } } }`, certificates, a.file)
	}
	const filter = "encode_raw_headers: true"
	p := startEnvoy(t, []edge{{Name: "mutual", Authz: "mutual", Filter: filter}, {Name: "anonymous", Authz: "anonymous", Filter: filter}}, []cluster{
		{Name: "mutual", Addresses: []string{address}, Extra: transport(fmt.Sprintf("tls_certificates: [ { certificate_chain: { filename: %q }, private_key: { filename: %q } } ],", clientCert, clientKey))},
		{Name: "anonymous", Addresses: []string{address}, Extra: transport("")},
	})
	if response := p.send(t, "mutual", "GET /x HTTP/1.1\nAuthorization: Bearer member"); response.StatusCode != http.StatusOK || len(p.upstream.take()) != 1 {
		t.Errorf("a member: %d", response.StatusCode)
	}
	if response := p.send(t, "mutual", "GET /admin HTTP/1.1\nAuthorization: Bearer member"); response.StatusCode != http.StatusForbidden {
		t.Errorf("without the role: %d", response.StatusCode)
	}
	if response := p.send(t, "anonymous", "GET / HTTP/1.1"); response.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("an Envoy without a certificate: %d", response.StatusCode)
	}
	if taken := p.upstream.take(); len(taken) > 0 {
		t.Errorf("%d refused requests reached the upstream", len(taken))
	}
}
