// Package redisclient makes the one Redis client that the limits and the
// revocations of a process share.
package redisclient

import (
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net"
	"net/url"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// Config is the redis section of the configuration document: which servers, and
// how to sign in there. The zero value is no Redis.
type Config struct {
	// URL names one server with user, password and database:
	// redis://user:password@host:6379/0, or rediss:// for TLS.
	URL string `json:"url,omitempty" document:"file"`
	// Addresses are host:port of the server, of some nodes of a cluster, or of
	// the sentinels. Instead of URL.
	Addresses policy.StringList `json:"addresses,omitempty" document:"nonempty"`
	// Sentinel says that Addresses are sentinels, which name the server.
	Sentinel *Sentinel `json:"sentinel,omitempty"`
	// Cluster says that the server is part of a Redis Cluster. Default: false.
	Cluster bool `json:"cluster,omitempty"`
	// Username is that of an ACL user. Default: the default user.
	Username string `json:"username,omitempty"`
	// Password signs in.
	Password string `json:"password,omitempty" document:"file"`
	// Database is the number of the database, which a cluster does not have.
	// Default: 0.
	Database int `json:"database,omitempty"`
	// TLS encrypts the connections. Empty ({}) trusts the system's authorities.
	// Default: no TLS, except with rediss://.
	TLS *TLS `json:"tls,omitempty"`
}

// Sentinel says how to ask sentinels for the server in charge.
type Sentinel struct {
	// Master is the name under which the sentinels watch the server.
	Master string `json:"master"`
	// Username is that of an ACL user of the sentinels themselves.
	Username string `json:"username,omitempty"`
	// Password signs in at the sentinels.
	Password string `json:"password,omitempty" document:"file"`
}

// TLS says whom to trust and who we are, in PEM form.
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

// Validate reports everything that is wrong, as [policy.ConfigError]s under the
// path redis. No error holds a password, nor any part of the URL.
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
}

func (c *Config) resolve() (*resolved, error) {
	var errs []error
	fail := func(key, msg, suggestion string) {
		errs = append(errs, &policy.ConfigError{Path: "redis" + key, Msg: msg, Suggestion: suggestion})
	}
	r := &resolved{addresses: c.Addresses, username: c.Username, password: c.Password, database: c.Database}
	switch {
	case !c.Enabled():
		if c.Cluster || c.Sentinel != nil || c.Username != "" || c.Password != "" || c.Database != 0 || c.TLS != nil {
			fail("", "no server is named", "write url or addresses")
		}
	case c.URL != "" && len(c.Addresses) > 0:
		fail(".addresses", "the server is named twice", "write url or addresses")
	case c.URL != "":
		if err := r.readURL(c); err != nil {
			fail(".url", err.Error(), "write redis://user:password@host:6379/0")
		}
	case len(c.Addresses) > 1 && !c.Cluster && c.Sentinel == nil:
		fail(".addresses", "several servers need a cluster or sentinels", "write cluster: true, or sentinel: {master: ...}")
	}
	for i, address := range c.Addresses {
		if host, port, err := net.SplitHostPort(address); err != nil || host == "" || port == "" {
			fail(".addresses["+strconv.Itoa(i)+"]", strconv.Quote(address)+" is not host:port", "")
		}
	}
	switch {
	case c.Sentinel != nil && c.Cluster:
		fail(".cluster", "a cluster has no sentinels", "remove sentinel or cluster")
	case c.Sentinel != nil && c.Sentinel.Master == "":
		fail(".sentinel.master", "the name of the server is missing", "write the name the sentinels watch it under, such as mymaster")
	case c.Cluster && r.database != 0:
		fail(".database", "a cluster has one database", "remove it")
	case r.database < 0:
		fail(".database", "there is no negative database", "")
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

// readURL takes what the URL says, and refuses to be told twice.
func (r *resolved) readURL(c *Config) error {
	u, err := url.Parse(c.URL)
	if err != nil {
		return errors.New("the value is not a URL") // err would repeat it, password and all
	}
	switch u.Scheme {
	case "redis":
	case "rediss":
		r.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	default:
		return errors.New("the URL does not begin with redis:// or rediss://")
	}
	if u.Hostname() == "" || u.RawQuery != "" || u.Fragment != "" {
		return errors.New("the URL lacks a host, or has more than a host, a user and a database")
	}
	port := u.Port()
	if port == "" {
		port = "6379"
	}
	r.addresses = []string{net.JoinHostPort(u.Hostname(), port)}
	if database := strings.Trim(u.Path, "/"); database != "" {
		if r.database, err = strconv.Atoi(database); err != nil || c.Database != 0 {
			return errors.New("the path of the URL is no database, or the database is named twice")
		}
	}
	if u.User != nil {
		if c.Username != "" || c.Password != "" {
			return errors.New("the user is named twice, in the URL and beside it")
		}
		r.username = u.User.Username()
		r.password, _ = u.User.Password()
	}
	return nil
}

// config reads the certificates. key is the field at fault.
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
