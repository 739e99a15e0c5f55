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
	// idleTime is less than the five minutes after which middleboxes drop an idle
	// connection.
	idleTime = 4 * time.Minute
)

// New returns a client; nothing is dialed until it is used. Commands respect the deadline
// of their context. A failed command is not retried, since it may have been executed;
// only a cluster client may send it to another node. The caller must close the client.
// It returns an error if the configuration has no server or is invalid.
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

// dialer returns a dial function whose connections bound the answers of the server.
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
