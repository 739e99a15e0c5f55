package redisclient

import (
	"cmp"
	"crypto/tls"
	"net"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// problem is an error and its suggestion. Neither contains any part of a URL except names
// of known schemes and options: anything else may be a password.
type problem struct{ msg, suggestion string }

// plainURL is the general suggestion.
const plainURL = "write redis://user:password@host:6379/0"

// schemes are the schemes of URLs for Redis, and whether they mean TLS.
var schemes = map[string]bool{
	"redis": false, "valkey": false, "tcp": false, "redis+tcp": false,
	"rediss": true, "valkeys": true, "redis+tls": true, "redis+ssl": true, "rediss+tls": true, "tls": true,
	"unix": false, "redis+unix": false, "redis+socket": false,
}

// readURL reads the URL. A setting that is also given beside it is an error.
func (r *resolved) readURL(c *Config) *problem {
	scheme, rest, ok := strings.Cut(c.URL, ":")
	scheme = strings.ToLower(scheme)
	encrypted, known := schemes[scheme]
	switch {
	case ok && strings.Contains(scheme, "sentinel"):
		return &problem{"sentinels are not named by a URL", "write addresses: [host:26379, ...] and sentinel: {master: mymaster}"}
	case ok && strings.Contains(scheme, "cluster"):
		return &problem{"a cluster is not named by a URL", "write addresses: [host:6379, ...] and cluster: true"}
	case ok && (scheme == "http" || scheme == "https"):
		return &problem{"the URL does not begin with redis:// or rediss://; this is the address of an HTTP interface", "write the address that the provider gives for Redis itself, rediss://..."}
	case strings.HasPrefix(c.URL, "/"):
		return &problem{"the URL does not begin with redis:// or rediss://, but with a path", "write unix:///path/of/redis.sock"}
	case !known && !strings.Contains(c.URL, "://") && checkAddress(c.URL) == nil:
		return &problem{"the URL does not begin with redis:// or rediss://; this is an address", "write redis:// before it, or addresses in the place of url"}
	case !known:
		return &problem{"the URL does not begin with redis:// or rediss://", plainURL}
	}
	if strings.HasSuffix(scheme, "unix") || strings.HasSuffix(scheme, "socket") {
		return r.readSocket(c, rest)
	}
	if !strings.HasPrefix(rest, "//") {
		return &problem{"the URL lacks a host: after the scheme come two slashes", plainURL}
	}
	if encrypted {
		r.tls = &tls.Config{MinVersion: tls.VersionTLS12}
	}
	authority, _, _ := strings.Cut(rest[2:], "/")
	hosts := authority[strings.LastIndexByte(authority, '@')+1:]
	if strings.Contains(hosts, ",") && strings.Contains(authority, "@") == strings.Contains(rest, "@") {
		return severalHosts
	}
	u, err := url.Parse("redis:" + rest)
	if err != nil {
		return unreadable(rest)
	}
	switch {
	case strings.Contains(u.Path+u.RawQuery, "@"):
		return unreadable("@")
	case u.Fragment != "" || strings.HasSuffix(rest, "#"):
		return unreadable(rest)
	case u.Hostname() == "":
		return &problem{"the URL lacks a host", plainURL}
	}
	if port := cmp.Or(u.Port(), "6379"); !validPort(port) {
		return &problem{"the port of the URL is not one from 1 to 65535", plainURL}
	}
	r.addresses = []string{net.JoinHostPort(u.Hostname(), cmp.Or(u.Port(), "6379"))}
	return cmp.Or(r.readDatabase(c, strings.Trim(u.Path, "/")), r.readQuery(c, u), r.readUser(c, u.User))
}

var severalHosts = &problem{"the URL names several hosts", "write addresses: [host:6379, ...], and cluster: true or sentinel: {master: ...}"}

// unreadable returns why a URL could not be parsed, without any part of it.
func unreadable(rest string) *problem {
	if strings.ContainsAny(rest, "@%#") {
		return &problem{"the value is not a URL: a password with / # ? % @ or other signs is percent-encoded in it (/ is %2F, # is %23, ? is %3F, % is %25, @ is %40)",
			"encode it, or leave it out and write password: beside url"}
	}
	return &problem{"the value is not a URL", plainURL}
}

// readSocket reads unix:///path, unix://user:password@/path and unix:/path.
func (r *resolved) readSocket(c *Config, rest string) *problem {
	u, err := url.Parse("unix:" + rest)
	if err != nil || u.Fragment != "" {
		return unreadable(rest)
	}
	if u.Host != "" || len(u.Path) < 2 || u.Path[0] != '/' {
		return &problem{"the URL does not name a socket by its whole path", "write unix:///path/of/redis.sock"}
	}
	if c.Cluster || c.Sentinel != nil {
		return &problem{"a socket leads to one server, and to no cluster or sentinels", "name addresses"}
	}
	if c.TLS != nil {
		return &problem{"a socket has no TLS", "remove tls"}
	}
	r.addresses = []string{u.Path} // by the slash, the driver recognizes a socket
	return cmp.Or(r.readQuery(c, u), r.readUser(c, u.User))
}

func (r *resolved) readDatabase(c *Config, text string) *problem {
	if text == "" {
		return nil
	}
	database, err := strconv.Atoi(text)
	if err != nil || database < 0 {
		return &problem{"the path of the URL is no database: a number such as /0 is; a / in a password is written %2F", "encode it, or leave it out and write password: beside url"}
	}
	return r.setDatabase(c, database)
}

func (r *resolved) setDatabase(c *Config, database int) *problem {
	if r.database != 0 && r.database != database {
		return &problem{"the path of the URL is no database, or the database is named twice", "name it once"}
	}
	r.database = database
	return nil
}

// options are the URL options of other clients, and what to write in their place.
var options = map[string]string{
	"ssl_cert_reqs": "certificates are always checked: write tls: {ca_file: ...} for an authority of your own", "skip_verify": "certificates are always checked: write tls: {ca_file: ...} for an authority of your own",
	"verify_peer": "certificates are always checked: write tls: {ca_file: ...} for an authority of your own", "ssl_check_hostname": "write tls: {server_name: ...} for the name in the certificate",
	"ssl_ca_certs": "write tls: {ca_file: ...}", "ssl_certfile": "write tls: {cert_file: ..., key_file: ...}", "ssl_keyfile": "write tls: {cert_file: ..., key_file: ...}",
	"tls": "write rediss://", "ssl": "write rediss://", "sni": "write tls: {server_name: ...}",
	"password": "write it before the host, or password: beside url", "username": "write it before the host, or username: beside url", "user": "write it before the host, or username: beside url", "auth": "write password: beside url",
	"sentinelmasterid": "write sentinel: {master: ...} and addresses", "master_name": "write sentinel: {master: ...} and addresses", "mastername": "write sentinel: {master: ...} and addresses",
	"prefix": "write prefix: beside url", "keyprefix": "write prefix: beside url", "namespace": "write prefix: beside url",
	"timeout": "write budget: beside url", "socket_timeout": "write budget: beside url", "read_timeout": "write budget: beside url", "write_timeout": "write budget: beside url",
	"dial_timeout": "remove it", "connecttimeout": "remove it", "socket_connect_timeout": "remove it", "pool_size": "remove it", "max_connections": "remove it",
	"min_idle_conns": "remove it", "max_retries": "remove it", "client_name": "remove it", "decode_responses": "remove it", "health_check_interval": "remove it", "family": "remove it",
}

// readQuery reads the query: an option for the database, and options that have no effect.
// All others are errors.
func (r *resolved) readQuery(c *Config, u *url.URL) *problem {
	query, err := url.ParseQuery(u.RawQuery)
	if err != nil {
		return unreadable("%")
	}
	names := make([]string, 0, len(query))
	for name := range query {
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		value := query.Get(name)
		switch lower := strings.ToLower(name); {
		case lower == "db" || lower == "database" || lower == "virtual_host":
			database, err := strconv.Atoi(value)
			if err != nil || database < 0 || len(query[name]) > 1 {
				return &problem{"the option " + lower + " of the URL is no number of a database", "write /0 after the host"}
			}
			if problem := r.setDatabase(c, database); problem != nil {
				return problem
			}
		case lower == "protocol" && (value == "2" || value == "3"):
		case lower == "ssl_cert_reqs" && value == "required":
		case options[lower] != "":
			return &problem{"the option " + lower + " of the URL is not supported", options[lower]}
		default: // part of a password, perhaps
			return &problem{"the URL has options behind a question mark, which are not taken; a ? in a password is written %3F", "remove them, or encode the password"}
		}
	}
	return nil
}

func (r *resolved) readUser(c *Config, user *url.Userinfo) *problem {
	if user == nil {
		return nil
	}
	if c.Username != "" || c.Password != "" {
		if password, _ := user.Password(); password != "" && c.Password != "" || user.Username() != "" && c.Username != "" {
			return &problem{"the user is named twice, in the URL and beside it", "name it once"}
		}
	}
	r.username = cmp.Or(user.Username(), c.Username)
	password, _ := user.Password()
	r.password = cmp.Or(password, c.Password)
	r.lonely = r.password == "" && r.username != ""
	return nil
}

// checkAddress returns a problem if an address is not host:port. It does not repeat an
// address that may contain a password.
func checkAddress(address string) *problem {
	const write = "write host:6379"
	switch {
	case strings.Contains(address, "://"):
		return &problem{"this is a URL, and not host:port", "write url in the place of addresses, or host:6379 with username and password beside it"}
	case strings.Contains(address, "@"):
		return &problem{"there is a user in it, and not only host:port", "write host:6379, with username and password beside it"}
	case strings.HasPrefix(address, "unix:") || strings.HasPrefix(address, "/") || strings.HasPrefix(address, "@"):
		return &problem{"a socket is not host:port", "write url: unix:///path/of/redis.sock"}
	}
	host, port, err := net.SplitHostPort(address)
	if err != nil || host == "" || !validPort(port) || strings.ContainsAny(host, " /?#%\t\r\n,") {
		return &problem{strconv.Quote(address) + " is not host:port", write}
	}
	return nil
}

func validPort(port string) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n > 0
}

// Warnings returns valid settings that are probably mistakes.
func (c *Config) Warnings() []policy.Warning {
	r, err := c.resolve()
	if err != nil || !r.lonely {
		return nil
	}
	return []policy.Warning{{ID: policy.WarnRedisPasswordMissing, Path: "redis.url", Msg: "there is a user and no password, which stands after a colon", Suggestion: "write redis://:password@host, or password: beside url"}}
}
