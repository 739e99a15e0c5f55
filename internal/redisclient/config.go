// Package redisclient makes the one Redis client that the limits and the
// revocations of a process share.
package redisclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// Config is the redis section of the configuration document: the servers, and how to
// authenticate there. The zero value is no Redis.
type Config struct {
	// URL is the URL of one server with user, password and database:
	// redis://user:password@host:6379/0, rediss:// for TLS, valkey:// and valkeys://
	// alike, or unix:///run/redis.sock?db=0. Characters other than letters and digits in
	// user and password must be percent-encoded. Default: none.
	URL string `json:"url,omitempty" document:"file"`
	// Addresses are host:port of the server, of some nodes of a cluster, or of
	// the sentinels, in place of URL. An IPv6 address is in brackets. Default: none.
	Addresses policy.StringList `json:"addresses,omitempty" document:"nonempty"`
	// Sentinel says that Addresses are those of Redis Sentinels, which know the address
	// of the server. Default: none.
	Sentinel *Sentinel `json:"sentinel,omitempty"`
	// Cluster says that the server is part of a Redis Cluster. Default: false.
	Cluster bool `json:"cluster,omitempty"`
	// Username is the name of an ACL user. Default: the default user.
	Username string `json:"username,omitempty"`
	// Password is the password of the user. Default: none.
	Password string `json:"password,omitempty" document:"file"`
	// Database is the number of the database, which a cluster does not have.
	// Default: 0.
	Database int `json:"database,omitempty"`
	// Prefix is the prefix of every key and channel, so that several deployments can
	// share a server: with prod: a key begins with prod:clerkgate:. At most 64 letters,
	// digits and . _ : / -. Default: none.
	Prefix string `json:"prefix,omitempty" document:"nonempty"`
	// TLS encrypts the connections. Empty ({}) trusts the system's authorities.
	// Default: no TLS, except with rediss://.
	TLS *TLS `json:"tls,omitempty"`
}

// Sentinel says how to ask Redis Sentinels for the current master.
type Sentinel struct {
	// Master is the name under which the sentinels monitor the server. Required.
	Master string `json:"master"`
	// Username is the name of an ACL user of the sentinels themselves. Default: none.
	Username string `json:"username,omitempty"`
	// Password is the password at the sentinels. Default: none.
	Password string `json:"password,omitempty" document:"file"`
}

// TLS is the certificates of the connections, in PEM.
type TLS struct {
	// CA are the authorities that may sign the server's certificate. Default:
	// those of the system.
	CA string `json:"ca,omitempty" document:"file"`
	// Cert and Key are this client's certificate, where the server asks for one.
	Cert string `json:"cert,omitempty" document:"file"`
	Key  string `json:"key,omitempty" document:"file"`
	// ServerName is the name the certificate must carry. Default: the host of
	// the address.
	ServerName string `json:"server_name,omitempty"`
}

// Enabled reports whether a server is named at all.
func (c *Config) Enabled() bool { return c.URL != "" || len(c.Addresses) > 0 }

// KeyPrefix returns the prefix of every key and channel, which a colon follows:
// KeyPrefix() + ":limit:...". Keys of one Clerk instance must also contain its ID, by
// session.Config.InstanceID, since instances may share server and prefix.
func (c *Config) KeyPrefix() string { return c.Prefix + "clerkgate" }

// maxPrefix bounds the prefix, in bytes, since each key repeats it.
const maxPrefix = 64

// validPrefix reports whether a prefix is valid: it cannot be a hash tag of a cluster, or
// a pattern in an ACL.
func validPrefix(prefix string) bool {
	return len(prefix) <= maxPrefix && !strings.ContainsFunc(prefix, func(r rune) bool {
		return (r < 'a' || r > 'z') && (r < 'A' || r > 'Z') && (r < '0' || r > '9') && !strings.ContainsRune("._:/-", r)
	})
}

// Validate returns all errors, as [policy.ConfigError]s below the path redis. No error
// contains a password, or any part of the URL.
func (c *Config) Validate() error {
	_, err := c.resolve()
	return err
}

// resolved is a Config whose URL has been read.
type resolved struct {
	addresses          []string
	username, password string
	database           int
	tls                *tls.Config
	// lonely: the URL has a user, but there is no password.
	lonely bool
}

func (c *Config) resolve() (*resolved, error) {
	var errs []error
	fail := func(key, msg, suggestion string) {
		errs = append(errs, &policy.ConfigError{Path: "redis" + key, Msg: msg, Suggestion: suggestion})
	}
	r := &resolved{addresses: c.Addresses, username: c.Username, password: c.Password, database: c.Database}
	switch {
	case !c.Enabled():
		if c.Cluster || c.Sentinel != nil || c.Username != "" || c.Password != "" || c.Database != 0 || c.Prefix != "" || c.TLS != nil {
			fail("", "no server is given", "write url or addresses")
		}
	case c.URL != "" && len(c.Addresses) > 0:
		fail(".addresses", "the server is configured twice", "write url or addresses")
	case c.URL != "":
		if problem := r.readURL(c); problem != nil {
			fail(".url", problem.msg, problem.suggestion)
		}
	case len(c.Addresses) > 1 && !c.Cluster && c.Sentinel == nil:
		fail(".addresses", "several servers need a cluster or sentinels", "write cluster: true, or sentinel: {master: ...}")
	}
	for i, address := range c.Addresses {
		if problem := checkAddress(address); problem != nil {
			fail(".addresses["+strconv.Itoa(i)+"]", problem.msg, problem.suggestion)
		}
	}
	switch {
	case c.Sentinel != nil && c.Cluster:
		fail(".cluster", "a cluster cannot have sentinels", "remove sentinel or cluster")
	case c.Sentinel != nil && c.Sentinel.Master == "":
		fail(".sentinel.master", "the name of the server is missing", "write the name the sentinels watch it under, such as mymaster")
	case c.Cluster && r.database != 0:
		fail(".database", "a cluster has one database", "remove it")
	case r.database < 0:
		fail(".database", "the database number must not be negative", "")
	}
	if !validPrefix(c.Prefix) {
		fail(".prefix", "the prefix is too long, or has other characters than letters, digits and . _ : / -", "write a short one, such as prod:")
	}
	if c.TLS != nil {
		config, key, err := c.TLS.config()
		if err != nil {
			fail(".tls."+key, err.Error(), "")
		}
		r.tls = config
	}
	return r, errors.Join(errs...)
}

// config parses the certificates. key is the invalid field.
func (t *TLS) config() (config *tls.Config, key string, err error) {
	config = &tls.Config{MinVersion: tls.VersionTLS12, ServerName: t.ServerName}
	if t.CA != "" {
		config.RootCAs = x509.NewCertPool()
		if !config.RootCAs.AppendCertsFromPEM([]byte(t.CA)) {
			return nil, "ca", errors.New("there is no certificate in PEM form")
		}
	}
	if t.Cert != "" || t.Key != "" {
		pair, err := tls.X509KeyPair([]byte(t.Cert), []byte(t.Key))
		if err != nil {
			return nil, "cert", errors.New("cert and key are not a pair in PEM form")
		}
		config.Certificates = []tls.Certificate{pair}
	}
	return config, "", nil
}
