package redisclient

import (
	"context"

	"github.com/redis/go-redis/v9"
)

// Quiet ends the driver's own log, which is one for the process and not
// structured: what it says shows in the logs and metrics of whoever uses the
// client. It is for main functions, before the first client.
func Quiet() { redis.SetLogger(silence{}) }

type silence struct{}

// Printf says nothing.
func (silence) Printf(context.Context, string, ...any) {}
