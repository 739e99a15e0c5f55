package clerktest

import (
	"cmp"
	"crypto/rand"
	"encoding/base64"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Options describe an instance. The zero value is a good one for tests.
type Options struct {
	// Host is the name of the Frontend API, as the publishable key and claim
	// iss have it: a host name with a dot. Default: clerk.localhost.
	Host string
	// Live makes a production instance (pk_live_, sk_live_): one whose Frontend
	// API is clerk.<domain> and whose apps are at that domain, over https.
	// Default: one for development, whose apps are anywhere.
	Live bool
	// Addr is where to listen. Default: 127.0.0.1 at a free port.
	Addr string
	// TLS listens for https too, at a free port of 127.0.0.1 and under a
	// certificate of its own for Host and the satellites: [Instance.TLSAddr].
	TLS bool
	// FrontendURL is where browsers reach the Frontend API if that is not
	// https://<Host>: the proxy_url of configurations, and so claim iss.
	// [Itself] is where the instance listens. Default: https://<Host>.
	FrontendURL string
	// Origins are those of the apps (http://localhost:8080). Browsers are sent
	// back to these alone, and claim azp is the first of them unless told
	// otherwise. Default: none, and tokens without azp.
	Origins []string
	// Satellites are the other domains of a production instance
	// (sat.example). Their Frontend API is clerk.<domain>; https://<domain> is
	// an app.
	Satellites []string
	// Users are the people there are. Default: [People].
	Users []User
	// Templates are the JWT templates, by name. Default: none.
	Templates map[string]Template
	// TokenLifetime is how long a session token holds. Default: 60 s, as at
	// Clerk.
	TokenLifetime time.Duration
	// Handshake is how browsers carry handshakes. Default: as Clerk does.
	Handshake Carrier
	// NoRefresh gives out no refresh tokens, so that every expired token costs
	// a handshake.
	NoRefresh bool
	// FlagRevoked answers the verification of a revoked or expired machine
	// token with 200 and a flag. Default: with 404.
	FlagRevoked bool
	// Webhook is where events go. Default: nowhere.
	Webhook Webhook
	// Now is the clock. Default: [time.Now].
	Now func() time.Time
}

// Itself as Options.FrontendURL is the instance's own address.
const Itself = "itself"

// Carrier is how a handshake reaches the app.
type Carrier int

// The carriers. Clerk uses a token, or a nonce where the app asks for one and
// the token is larger than a URL should be.
const (
	BySize Carrier = iota
	ByToken
	ByNonce
)

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
	o.Origins = slices.Clone(o.Origins)
	for _, domain := range o.Satellites {
		o.Origins = append(o.Origins, "https://"+domain)
	}
	for _, text := range o.Origins {
		if u, ok := parseWebURL(text); !ok || originOf(u) != text {
			return fmt.Errorf("starting a Clerk instance: %q is not an origin", text)
		}
	}
	if o.FrontendURL != "" && o.FrontendURL != Itself {
		if _, ok := parseWebURL(o.FrontendURL); !ok {
			return fmt.Errorf("starting a Clerk instance: %q is not a URL", o.FrontendURL)
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

// domain is the site of a production instance: cookies for all its hosts belong
// there. A development instance has none.
func (o *Options) domain() string {
	if !o.Live {
		return ""
	}
	return strings.TrimPrefix(o.Host, "clerk.")
}
