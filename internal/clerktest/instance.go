package clerktest

import (
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"sync"
	"time"
)

// Instance is a running Clerk instance. It is safe for concurrent use.
type Instance struct {
	options        Options
	publishableKey string
	secretKey      string
	url            string
	tlsAddr        string
	servers        []*http.Server
	served         sync.WaitGroup
	closed         chan struct{} // closed with the instance
	handler        http.Handler
	counts         counts
	faults         faults
	// stranger makes keys that the instance does not publish.
	stranger func() signingKey

	mu         sync.RWMutex
	keys       []signingKey // the last one signs
	people     []*User
	sessions   []*record // oldest first
	clients    []*client // oldest first
	handed     handed[[]string]
	links      handed[*client]
	machine    []*machineToken
	deliveries []Delivery
}

// The servers' bounds. Nothing the APIs take or give comes near them.
const (
	serverTimeout = 10 * time.Second
	maxHeader     = 64 << 10
	maxForm       = 64 << 10
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
	i := &Instance{
		options: o, keys: []signingKey{key}, stranger: sync.OnceValue(mustSigningKey), closed: make(chan struct{}),
		handed: handed[[]string]{now: o.Now}, links: handed[*client]{now: o.Now},
	}
	for _, u := range o.Users {
		i.people = append(i.people, new(u.clone()))
	}
	i.publishableKey, i.secretKey = o.instanceKeys()
	i.handler = i.routes()
	if err := i.listen(); err != nil {
		i.Close()
		return nil, fmt.Errorf("starting a Clerk instance: %w", err)
	}
	return i, nil
}

// listen serves http, and https where it is asked for.
func (i *Instance) listen() error {
	listener, err := net.Listen("tcp", i.options.Addr)
	if err != nil {
		return err
	}
	i.url = "http://" + publicAddr(i.options.Addr, listener)
	i.serve(listener)
	if !i.options.TLS {
		return nil
	}
	secure, err := i.listenTLS()
	if err != nil {
		return err
	}
	i.tlsAddr = secure.Addr().String()
	i.serve(secure)
	return nil
}

func (i *Instance) serve(listener net.Listener) {
	server := &http.Server{
		Handler:        i.handler,
		ReadTimeout:    serverTimeout,
		IdleTimeout:    serverTimeout,
		MaxHeaderBytes: maxHeader,
	}
	i.servers = append(i.servers, server)
	i.served.Go(func() {
		if err := server.Serve(listener); !errors.Is(err, http.ErrServerClosed) {
			panic(err) // nobody but Close ends it
		}
	})
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
	close(i.closed)
	for _, server := range i.servers {
		server.Close()
	}
	i.served.Wait()
}

// URL is where the instance listens: the api_url of configurations.
func (i *Instance) URL() string { return i.url }

// TLSAddr is where the instance listens for https, as host:port: whoever
// resolves its names sends them there. Empty without Options.TLS.
func (i *Instance) TLSAddr() string { return i.tlsAddr }

// FrontendURL is where browsers reach the Frontend API and the pages.
func (i *Instance) FrontendURL() string {
	switch {
	case i.options.FrontendURL == Itself:
		return i.url
	case i.options.FrontendURL != "":
		return strings.TrimRight(i.options.FrontendURL, "/")
	}
	return "https://" + i.options.Host
}

// SignInURL is the page where people sign in. Unless told where browsers reach
// the instance, it is where the instance listens.
func (i *Instance) SignInURL() string { return i.pages() + "/sign-in" }

// AccountURL is the page where people switch between their sessions and
// organizations, and sign out.
func (i *Instance) AccountURL() string { return i.pages() + "/user" }

func (i *Instance) pages() string {
	if !i.reachable() {
		return i.url
	}
	return i.FrontendURL()
}

// reachable says whether browsers find the instance at its Frontend API's
// address.
func (i *Instance) reachable() bool { return i.options.FrontendURL != "" || i.options.TLS }

// PublishableKey names the instance: pk_test_... or pk_live_....
func (i *Instance) PublishableKey() string { return i.publishableKey }

// SecretKey opens the Backend API: sk_test_... or sk_live_....
func (i *Instance) SecretKey() string { return i.secretKey }

// Issuer is claim iss of the instance's tokens.
func (i *Instance) Issuer() string { return i.FrontendURL() }

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
