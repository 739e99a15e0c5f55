package kubernetes_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"crypto/tls"
	"crypto/x509"
	"encoding/base64"
	"encoding/pem"
	"errors"
	"io/fs"
	"math/big"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// sandbox is what a Pod would find in its file system and in its environment, in a
// folder: volumes are laid out as the kubelet does, with a link to the folder that holds
// the files, so that they can change at once.
type sandbox struct {
	dir     string
	secrets map[string]string // by the key in the Secret
	client  tls.Certificate   // one that the client CA signed
	ca      *x509.CertPool
	volumes map[string]map[string]string // the files of each volume
}

// newSandbox fills the volumes of a Pod: ConfigMaps with what was rendered, Secrets with
// new keys.
func newSandbox(t *testing.T, r *rendered, p *pod) *sandbox {
	t.Helper()
	dir, err := os.MkdirTemp("", "pod") // a short name: sockets have no long ones
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(dir) })
	s := &sandbox{dir: dir, volumes: map[string]map[string]string{}}
	s.makeSecrets(t)
	for _, v := range p.spec.Volumes {
		files := map[string]string{}
		switch {
		case v.ConfigMap != nil:
			files = s.configMap(r, v.ConfigMap.Name)
		case v.Projected != nil:
			for _, source := range v.Projected.Sources {
				for _, item := range source.Secret.Items {
					files[item.Path] = s.secret(t, item.Key)
				}
			}
		}
		s.volumes[v.Name] = files
	}
	return s
}

// configMap returns the rendered data of a ConfigMap, or that of one that exists.
func (s *sandbox) configMap(r *rendered, name string) map[string]string {
	for _, c := range all[*corev1.ConfigMap](r) {
		if c.Name == name {
			files := map[string]string{}
			for file, text := range c.Data {
				files[file] = s.document(text)
			}
			return files
		}
	}
	return map[string]string{"policy.yaml": s.document(`clerk:
  publishable_key: ${CLERK_PUBLISHABLE_KEY}
  secret_key: ${CLERK_SECRET_KEY}
  machine_secret_key: ${CLERK_MACHINE_SECRET_KEY}
  authorized_parties: [https://app.example.com]
`)}
}

// document names the sandbox's files. It gets the instance's public key if it has none:
// there is no Clerk here from which it could be fetched.
func (s *sandbox) document(text string) string {
	if !strings.Contains(text, "jwt_key") {
		text = strings.Replace(text, "\n  publishable_key:", "\n  jwt_key_file: "+filepath.Join(s.dir, "jwt.pem")+"\n  publishable_key:", 1)
	}
	return s.inside(text)
}

// inside moves the paths of a Pod into the sandbox.
func (s *sandbox) inside(text string) string {
	return strings.NewReplacer("/etc/clerkgate", s.dir+"/etc/clerkgate", "/run/clerkgate", s.dir+"/run/clerkgate").Replace(text)
}

// mount lays out the volumes of a container. Where they are laid out already, what has
// changed since takes the place of the old files at once.
func (s *sandbox) mount(t *testing.T, c corev1.Container) {
	t.Helper()
	for _, mount := range c.VolumeMounts {
		at := s.inside(mount.MountPath)
		if at == mount.MountPath {
			continue // another container's
		}
		if err := os.MkdirAll(at, 0o755); err != nil {
			t.Fatal(err)
		}
		data, err := os.MkdirTemp(at, "..2026_")
		if err != nil {
			t.Fatal(err)
		}
		for name, text := range s.volumes[mount.Name] {
			if err := os.WriteFile(filepath.Join(data, name), []byte(text), 0o440); err != nil {
				t.Fatal(err)
			}
		}
		link := filepath.Join(at, "..data_tmp")
		if err := os.Symlink(filepath.Base(data), link); err != nil {
			t.Fatal(err)
		}
		if err := os.Rename(link, filepath.Join(at, "..data")); err != nil {
			t.Fatal(err)
		}
		for name := range s.volumes[mount.Name] {
			if err := os.Symlink(filepath.Join("..data", name), filepath.Join(at, name)); err != nil && !errors.Is(err, fs.ErrExist) {
				t.Fatal(err)
			}
		}
	}
}

// environment is what a container is given, and nothing else.
func (s *sandbox) environment(t *testing.T, c corev1.Container) (env []string) {
	t.Helper()
	for _, e := range c.Env {
		value := e.Value
		if e.ValueFrom != nil {
			value = s.secret(t, e.ValueFrom.SecretKeyRef.Key)
		}
		env = append(env, e.Name+"="+value)
	}
	return env
}

// command is the container's, by the real program.
func (s *sandbox) command(t *testing.T, c corev1.Container, args []string) *exec.Cmd {
	t.Helper()
	s.mount(t, c)
	cmd := exec.Command(binary(t, "CLERKGATE_BIN", "clerkgate"), args...)
	cmd.Env = append([]string{}, s.environment(t, c)...) // and never nil, which is the test's own
	cmd.Dir = s.dir
	return cmd
}

func (s *sandbox) secret(t *testing.T, key string) string {
	t.Helper()
	value, ok := s.secrets[key]
	if !ok {
		t.Fatalf("there is no secret %q", key)
	}
	return value
}

func (s *sandbox) makeSecrets(t *testing.T) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	public, err := x509.MarshalPKIXPublicKey(&key.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(newKey(t))
	if err != nil {
		t.Fatal(err)
	}
	authority, authorityKey := certificate(t, &x509.Certificate{IsCA: true, KeyUsage: x509.KeyUsageCertSign}, nil, nil)
	server, serverKey := certificate(t, &x509.Certificate{DNSNames: []string{"clerkgate.clerkgate.svc"}}, authority, authorityKey)
	spiffe, err := url.Parse("spiffe://cluster.local/ns/ingress/sa/proxy")
	if err != nil {
		t.Fatal(err)
	}
	client, clientKey := certificate(t, &x509.Certificate{URIs: []*url.URL{spiffe}}, authority, authorityKey)
	serverPrivate, err := x509.MarshalPKCS8PrivateKey(serverKey)
	if err != nil {
		t.Fatal(err)
	}
	s.client = tls.Certificate{Certificate: [][]byte{client.Raw}, PrivateKey: clientKey}
	s.ca = x509.NewCertPool()
	s.ca.AddCert(authority)
	s.secrets = map[string]string{
		"publishable-key":    "pk_live_" + base64.StdEncoding.EncodeToString([]byte("clerk.example.com$")),
		"secret-key":         "sk_live_" + rand.Text(),
		"machine-secret-key": "ak_" + rand.Text(),
		"webhook-secret":     "whsec_" + base64.StdEncoding.EncodeToString([]byte(rand.Text())),
		"jwt-key":            block("PUBLIC KEY", public),
		"assertion.pem":      block("PRIVATE KEY", private),
		"url":                "redis://127.0.0.1:6379",
		"password":           rand.Text(),
		"tls.crt":            block("CERTIFICATE", server.Raw),
		"tls.key":            block("PRIVATE KEY", serverPrivate),
		"ca.pem":             block("CERTIFICATE", authority.Raw),
	}
	if err := os.WriteFile(filepath.Join(s.dir, "jwt.pem"), []byte(s.secrets["jwt-key"]), 0o440); err != nil {
		t.Fatal(err)
	}
}

func newKey(t *testing.T) *ecdsa.PrivateKey {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

func block(kind string, der []byte) string {
	return string(pem.EncodeToMemory(&pem.Block{Type: kind, Bytes: der}))
}

// certificate makes one that an authority signs, or that signs itself.
func certificate(t *testing.T, template, authority *x509.Certificate, authorityKey *ecdsa.PrivateKey) (*x509.Certificate, *ecdsa.PrivateKey) {
	t.Helper()
	key := newKey(t)
	template.SerialNumber = big.NewInt(time.Now().UnixNano())
	template.NotBefore, template.NotAfter = time.Now().Add(-time.Minute), time.Now().Add(time.Hour)
	template.BasicConstraintsValid = true
	if authority == nil {
		authority, authorityKey = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, authority, &key.PublicKey, authorityKey)
	if err != nil {
		t.Fatal(err)
	}
	made, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	return made, key
}
