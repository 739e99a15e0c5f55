package caddyplugin

import (
	"strconv"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/setup"
)

// redisSubdirective reads: redis [<url>] { ... }
func redisSubdirective(redis *setup.Redis) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		args := d.RemainingArgs()
		switch {
		case len(args) > 1:
			return d.Err("redis takes one URL; other settings go into its block")
		case len(args) == 1 && args[0] == "":
			return d.Err("a value of redis is empty")
		case len(args) == 1:
			redis.URL = args[0]
		}
		if err := redisSubdirectives(redis).block(d, "redis"); err != nil {
			return err
		}
		if !redis.Enabled() {
			return d.Err("redis names no server")
		}
		return nil
	})
}

func redisSubdirectives(redis *setup.Redis) subdirectives {
	return subdirectives{
		"url":       singleValue(&redis.URL),
		"addresses": valueList(&redis.Addresses),
		"username":  singleValue(&redis.Username),
		"password":  singleValue(&redis.Password),
		"cluster":   boolFlag(&redis.Cluster),
		"budget":    duration(&redis.Budget),
		"database":  wholeNumber(&redis.Database),
		"prefix":    singleValue(&redis.Prefix),
		"max_keys":  wholeNumber(&redis.MaxKeys),
		"sentinel":  single(func(d *caddyfile.Dispenser) error { return readSentinel(d, redis) }),
		"tls": single(func(d *caddyfile.Dispenser) error {
			redis.TLS = new(redisclient.TLS)
			if err := noMoreArguments(d); err != nil {
				return err
			}
			return tlsSubdirectives(redis.TLS).block(d, "tls")
		}),
	}
}

func tlsSubdirectives(t *redisclient.TLS) subdirectives {
	return subdirectives{"ca": singleValue(&t.CA), "cert": singleValue(&t.Cert), "key": singleValue(&t.Key), "server_name": singleValue(&t.ServerName)}
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

// revocationSubdirective reads: revocation { ... }
func revocationSubdirective(r *setup.Revocation) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
		if err := noMoreArguments(d); err != nil {
			return err
		}
		return revocationSubdirectives(r).block(d, "revocation")
	})
}

func revocationSubdirectives(r *setup.Revocation) subdirectives {
	return subdirectives{
		"max_token_lifetime": duration(&r.MaxTokenLifetime),
		"max_entries":        wholeNumber(&r.MaxEntries),
		"on_store_error":     singleValue(&r.OnStoreError),
	}
}

// wholeNumber reads one whole number, 0 or more.
func wholeNumber(into *int) subdirective {
	return single(func(d *caddyfile.Dispenser) error {
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
