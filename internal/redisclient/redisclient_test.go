package redisclient

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/pem"
	"math/big"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	t.Parallel()
	const secret = "hunter2"
	for name, tt := range map[string]struct {
		config Config
		want   string
	}{
		"no URL":                   {Config{URL: "redis://u:" + secret + "@a b\x7f/"}, "redis.url: the value is not a URL"},
		"another scheme":           {Config{URL: "http://u:" + secret + "@a"}, "redis.url: the URL does not begin with redis://"},
		"no host":                  {Config{URL: "redis://:" + secret + "@:6379"}, "redis.url: the URL lacks a host"},
		"options":                  {Config{URL: "redis://u:" + secret + "@a?pool_size=3"}, "redis.url: the option pool_size of the URL is not supported"},
		"a database with a name":   {Config{URL: "redis://u:" + secret + "@a/" + secret}, "redis.url: the path of the URL is no database"},
		"two users":                {Config{URL: "redis://u:" + secret + "@a", Password: secret}, "redis.url: the user is named twice"},
		"two servers":              {Config{URL: "redis://u:" + secret + "@a", Addresses: policy.StringList{"a:1"}}, "redis.addresses: the server is configured twice"},
		"servers without relation": {Config{Addresses: policy.StringList{"a:1", "b:1"}}, "redis.addresses: several servers"},
		"an address without port":  {Config{Addresses: policy.StringList{"a"}}, `redis.addresses[0]: "a" is not host:port`},
		"cluster and sentinels":    {Config{Addresses: policy.StringList{"a:1"}, Cluster: true, Sentinel: &Sentinel{Master: "m"}}, "redis.cluster"},
		"sentinels of nobody":      {Config{Addresses: policy.StringList{"a:1"}, Sentinel: &Sentinel{}}, "redis.sentinel.master"},
		"a cluster's database":     {Config{URL: "redis://u:" + secret + "@a/1", Cluster: true}, "redis.database"},
		"a negative database":      {Config{Addresses: policy.StringList{"a:1"}, Database: -1}, "redis.database"},
		"a password for nobody":    {Config{Password: secret}, "redis: no server is given"},
		"a prefix with a hash tag": {Config{Addresses: policy.StringList{"a:1"}, Prefix: "{a}:"}, "redis.prefix"},
		"a prefix with a pattern":  {Config{Addresses: policy.StringList{"a:1"}, Prefix: "a*"}, "redis.prefix"},
		"a prefix that is long":    {Config{Addresses: policy.StringList{"a:1"}, Prefix: strings.Repeat("a", 65)}, "redis.prefix"},
		"a prefix of nothing":      {Config{Prefix: "a:"}, "redis: no server is given"},
		"no authority":             {Config{Addresses: policy.StringList{"a:1"}, TLS: &TLS{CA: secret}}, "redis.tls.ca"},
		"half a pair":              {Config{Addresses: policy.StringList{"a:1"}, TLS: &TLS{Key: secret}}, "redis.tls.cert"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			err := tt.config.Validate()
			if err == nil || !strings.Contains(err.Error(), tt.want) {
				t.Errorf("got %v, want %s", err, tt.want)
			}
			if err != nil && strings.Contains(err.Error(), secret) {
				t.Errorf("the error shows the password: %v", err)
			}
			if _, err := New(tt.config); err == nil {
				t.Error("there is a client")
			}
		})
	}
}

func TestTheWordsOfTheDocument(t *testing.T) {
	t.Parallel()
	password := filepath.Join(t.TempDir(), "password")
	if err := os.WriteFile(password, []byte("hunter2\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	var config Config
	_, err := document.Load("redis.yaml", []byte("addresses: [a:1, b:2]\nsentinel: {master: m, password_file: "+password+"}\nusername: u\npassword_file: "+password+"\ntls: {}\n"), &config, document.Options{})
	if err != nil {
		t.Fatal(err)
	}
	if err := config.Validate(); err != nil {
		t.Fatal(err)
	}
	if config.Password != "hunter2" || config.Sentinel.Password != "hunter2" || config.TLS == nil || len(config.Addresses) != 2 {
		t.Errorf("read %+v", config)
	}
	if err := new(Config).Validate(); err != nil {
		t.Errorf("no Redis is an error: %v", err)
	}
}

func TestClientsOfRealServers(t *testing.T) {
	t.Parallel()
	for name, start := range map[string]func(*testing.T) Config{
		"one server": func(t *testing.T) Config {
			return Config{URL: "redis://" + testredis.Start(t).Addr + "/3"}
		},
		"a server with a password": func(t *testing.T) Config {
			return Config{URL: "redis://:hunter2@" + testredis.Start(t, "--requirepass", "hunter2").Addr}
		},
		"an ACL user without a right too many": func(t *testing.T) Config {
			s := testredis.Start(t)
			s.Do(t, "ACL", "SETUSER", "gate", "on", ">hunter2", "~clerkgate:*", "-@all", "+set", "+get")
			return Config{Addresses: policy.StringList{s.Addr}, Username: "gate", Password: "hunter2"}
		},
		"a cluster": func(t *testing.T) Config {
			return Config{Addresses: testredis.StartCluster(t).Addrs(), Cluster: true}
		},
		"sentinels": func(t *testing.T) Config {
			s := testredis.StartSentinel(t)
			return Config{Addresses: policy.StringList{s.Sentinel.Addr}, Sentinel: &Sentinel{Master: s.Master}}
		},
		"a server with TLS": startTLS,
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			client, err := New(start(t))
			if err != nil {
				t.Fatal(err)
			}
			defer client.Close()
			if err := client.Set(t.Context(), "clerkgate:k", "v", time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
			if got, err := client.Get(t.Context(), "clerkgate:k").Result(); got != "v" {
				t.Errorf("got %q, %v", got, err)
			}
		})
	}
}

// startTLS runs a server that speaks TLS alone and asks for a certificate.
func startTLS(t *testing.T) Config {
	cert, key := certificate(t)
	dir := t.TempDir()
	certFile, keyFile := filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	for file, content := range map[string]string{certFile: cert, keyFile: key} {
		if err := os.WriteFile(file, []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	address := testprocess.Address(t)
	_, port, _ := net.SplitHostPort(address)
	testredis.Start(t, "--tls-port", port, "--tls-cert-file", certFile, "--tls-key-file", keyFile, "--tls-ca-cert-file", certFile)
	return Config{URL: "rediss://" + address, TLS: &TLS{CA: cert, Cert: cert, Key: key}}
}

// certificate signs itself, for 127.0.0.1.
func certificate(t *testing.T) (cert, key string) {
	private, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "redis"}, IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IsCA: true, BasicConstraintsValid: true,
		KeyUsage: x509.KeyUsageDigitalSignature | x509.KeyUsageCertSign,
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &private.PublicKey, private)
	if err != nil {
		t.Fatal(err)
	}
	keyDER, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})), string(pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: keyDER}))
}
