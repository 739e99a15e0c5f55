package caddyplugin

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/setup"
)

// redisWord reads: redis [<url>] { ... }
func redisWord(redis *setup.Redis) word {
	return once(func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		switch {
		case len(args) > 1:
			return d.Err("redis takes one URL; other settings go into its block")
		case len(args) == 1 && args[0] == "":
			return d.Err("a value of redis is empty")
		case len(args) == 1:
			redis.URL = args[0]
		}
		if err := redisWords(redis).block(d, "redis"); err != nil {
			return err
		}
		if !redis.Enabled() {
			return d.Err("redis names no server")
		}
		return nil
	})
}

func redisWords(redis *setup.Redis) words {
	return words{
		"url":       text(&redis.URL),
		"addresses": list(&redis.Addresses),
		"username":  text(&redis.Username),
		"password":  text(&redis.Password),
		"cluster":   bare(&redis.Cluster),
		"budget":    duration(&redis.Budget),
		"database":  natural(&redis.Database),
		"prefix":    text(&redis.Prefix),
		"max_keys":  natural(&redis.MaxKeys),
		"sentinel":  once(func(d *caddyfile.Dispenser) error { return readSentinel(d, redis) }),
		"tls": once(func(d *caddyfile.Dispenser) error {
			redis.TLS = new(redisclient.TLS)
			if err := noMore(d); err != nil {
				return err
			}
			return tlsWords(redis.TLS).block(d, "tls")
		}),
	}
}

func tlsWords(t *redisclient.TLS) words {
	return words{"ca": text(&t.CA), "cert": text(&t.Cert), "key": text(&t.Key), "server_name": text(&t.ServerName)}
}

// readSentinel reads: sentinel <master> [<username> <password>]
func readSentinel(d *caddyfile.Dispenser, redis *setup.Redis) error {
	args, err := arguments(d)
	if err != nil {
		return err
	}
	switch len(args) {
	case 1:
		redis.Sentinel = &redisclient.Sentinel{Master: args[0]}
	case 3:
		redis.Sentinel = &redisclient.Sentinel{Master: args[0], Username: args[1], Password: args[2]}
	default:
		return d.Err("expected: sentinel <master> [<username> <password>]")
	}
	return nil
}

// revocationWord reads: revocation { ... }
func revocationWord(r *setup.Revocation) word {
	return once(func(d *caddyfile.Dispenser) error {
		if err := noMore(d); err != nil {
			return err
		}
		return revocationWords(r).block(d, "revocation")
	})
}

func revocationWords(r *setup.Revocation) words {
	return words{
		"max_token_lifetime": duration(&r.MaxTokenLifetime),
		"max_entries":        natural(&r.MaxEntries),
		"on_store_error":     text(&r.OnStoreError),
	}
}

// natural reads a whole number.
func natural(into *int) word {
	return once(func(d *caddyfile.Dispenser) error {
		value, err := argument(d)
		if err != nil {
			return err
		}
		if *into, err = strconv.Atoi(value); err != nil || *into < 0 {
			return d.Errf("%q is not a whole number", value)
		}
		return nil
	})
}
