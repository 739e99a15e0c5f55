package clerktest

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"errors"
	"fmt"
	"net"
	"net/http"
	"slices"
	"sync"
	"time"
)

// Options describe an instance. The zero value is a good one for tests.
type Options struct {
	// Host is the name of the Frontend API, as the publishable key and claim
	// iss have it: a host name with a dot, without port. Default:
	// clerk.localhost.
	Host string
	// Live makes a production instance (pk_live_, sk_live_). Default: one for
	// development.
	Live bool
	// Addr is where to listen. Default: 127.0.0.1 at a free port.
	Addr string
	// Origins are those of the apps (http://localhost:8080). The sign-in page
	// sends people back to these alone, and claim azp is the first of them
	// unless told otherwise. Default: none, and tokens without azp.
	Origins []string
	// Users are the people there are. Default: [People].
	Users []User
	// TokenLifetime is how long a session token holds. Default: 60 s, as at
	// Clerk.
	TokenLifetime time.Duration
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Instance is a running Clerk instance. It is safe for concurrent use.
type Instance struct {
	options        Options
	publishableKey string
	secretKey      string
	url            string
	server         *http.Server
	served         sync.WaitGroup
	counts         counts
	// stranger makes keys that the instance does not publish.
	stranger func() signingKey

	mu       sync.RWMutex
	keys     []signingKey // the last one signs
	sessions []*Session   // oldest first
}

// The server's bounds. Nothing the APIs take or give comes near them.
const (
	serverTimeout = 10 * time.Second
	maxHeader     = 64 << 10
	maxForm       = 16 << 10
)

// New starts an instance. The error is for options that make no instance, and
// for an address that cannot be listened on.
func New(o Options) (*Instance, error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	key, err := newSigningKey()
	if err != nil {
		return nil, err
	}
	listener, err := net.Listen("tcp", o.Addr)
	if err != nil {
		return nil, fmt.Errorf("starting a Clerk instance: %w", err)
	}
	i := &Instance{options: o, keys: []signingKey{key}, stranger: sync.OnceValue(mustSigningKey)}
	i.publishableKey, i.secretKey = o.instanceKeys()
	i.url = "http://" + publicAddr(o.Addr, listener)
	i.server = &http.Server{
		Handler:        i.routes(),
		ReadTimeout:    serverTimeout,
		WriteTimeout:   serverTimeout,
		IdleTimeout:    serverTimeout,
		MaxHeaderBytes: maxHeader,
	}
	i.served.Go(func() {
		if err := i.server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // nobody but Close ends it
		}
	})
	return i, nil
}

// TB is what [Start] needs of a [testing.TB].
type TB interface {
	Helper()
	Fatalf(format string, args ...any)
	Cleanup(func())
}

// Start starts an instance for one test.
func Start(tb TB, o Options) *Instance {
	tb.Helper()
	i, err := New(o)
	if err != nil {
		tb.Fatalf("%v", err)
	}
	tb.Cleanup(i.Close)
	return i
}

// Close stops the instance and waits for it. Requests under way are cut off.
func (i *Instance) Close() {
	i.server.Close()
	i.served.Wait()
}

// URL is where the instance listens: the api_url of configurations.
func (i *Instance) URL() string { return i.url }

// SignInURL is the page where people sign in.
func (i *Instance) SignInURL() string { return i.url + "/sign-in" }

// PublishableKey names the instance: pk_test_... or pk_live_....
func (i *Instance) PublishableKey() string { return i.publishableKey }

// SecretKey opens the Backend API: sk_test_... or sk_live_....
func (i *Instance) SecretKey() string { return i.secretKey }

// Issuer is claim iss of the instance's tokens.
func (i *Instance) Issuer() string { return "https://" + i.options.Host }

// Users lists the people there are.
func (i *Instance) Users() []User { return slices.Clone(i.options.Users) }

// complete fills in the defaults.
func (o *Options) complete() error {
	o.Host = cmp.Or(o.Host, "clerk.localhost")
	o.Addr = cmp.Or(o.Addr, "127.0.0.1:0")
	o.TokenLifetime = cmp.Or(o.TokenLifetime, time.Minute)
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Users == nil {
		o.Users = People()
	}
	for _, text := range o.Origins {
		if u, ok := parseWebURL(text); !ok || originOf(u) != text {
			return fmt.Errorf("starting a Clerk instance: %q is not an origin", text)
		}
	}
	return nil
}

// instanceKeys makes the pair of keys. The body of a publishable key is the
// base64 of the host and a dollar sign.
func (o *Options) instanceKeys() (publishable, secret string) {
	kind := "test_"
	if o.Live {
		kind = "live_"
	}
	body := base64.RawStdEncoding.EncodeToString([]byte(o.Host + "$"))
	return "pk_" + kind + body, "sk_" + kind + rand.Text() + rand.Text()
}

// publicAddr is the address listened on, under the name it was asked for:
// cookies belong to a name.
func publicAddr(asked string, listener net.Listener) string {
	_, port, err := net.SplitHostPort(listener.Addr().String())
	if err != nil {
		return listener.Addr().String()
	}
	host, _, err := net.SplitHostPort(asked)
	if err != nil || host == "" {
		host = "127.0.0.1"
	}
	return net.JoinHostPort(host, port)
}
