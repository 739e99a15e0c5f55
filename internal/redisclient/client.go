package redisclient

import (
	"context"
	"crypto/tls"
	"errors"
	"net"
	"time"

	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/maintnotifications"
)

// Timeouts of a command whose context sets no earlier deadline.
const (
	dialTimeout    = time.Second
	commandTimeout = time.Second
	// idleTime is less than the five minutes after which middleboxes forget a
	// connection.
	idleTime = 4 * time.Minute
)

// New makes a client; nothing is dialed until it is used. Deadlines of contexts
// hold. A command that failed is not sent again, for it may have counted; only in
// a cluster it may be, to another node. Close the client when done.
func New(c Config) (redis.UniversalClient, error) {
	if !c.Enabled() {
		return nil, errors.New("redis: no server is given")
	}
	r, err := c.resolve()
	if err != nil {
		return nil, err
	}
	options := &redis.UniversalOptions{
		Addrs:         r.addresses,
		Username:      r.username,
		Password:      r.password,
		DB:            r.database,
		TLSConfig:     r.tls,
		Dialer:        dialer(r.tls),
		IsClusterMode: c.Cluster,

		ContextTimeoutEnabled: true,
		DialTimeout:           dialTimeout,
		DialerRetries:         1,
		ReadTimeout:           commandTimeout,
		WriteTimeout:          commandTimeout,
		PoolTimeout:           commandTimeout,
		ConnMaxIdleTime:       idleTime,
		MaxRetries:            -1,

		// An ACL user needs no right but those of the commands in use, and a new
		// connection is ready after one round trip.
		DisableIdentity:          true,
		MaintNotificationsConfig: &maintnotifications.Config{Mode: maintnotifications.ModeDisabled},
	}
	if c.Sentinel != nil {
		options.MasterName = c.Sentinel.Master
		options.SentinelUsername = c.Sentinel.Username
		options.SentinelPassword = c.Sentinel.Password
	}
	return redis.NewUniversalClient(options), nil
}

// dialer connects, and bounds what a server can make the driver keep.
func dialer(config *tls.Config) func(context.Context, string, string) (net.Conn, error) {
	plain := &net.Dialer{Timeout: dialTimeout}
	dial := plain.DialContext
	if config != nil {
		dial = (&tls.Dialer{NetDialer: plain, Config: config}).DialContext
	}
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		ctx, cancel := context.WithTimeout(ctx, dialTimeout)
		defer cancel()
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		return &boundedConn{Conn: conn}, nil
	}
}
