package redisclient

import (
	"github.com/redis/go-redis/v9"
	"github.com/redis/go-redis/v9/logging"
)

// Quiet ends the driver's own log, which is one for the process and not
// structured: what it says shows in the logs and metrics of whoever uses the
// client. It is for main functions, before the first client.
func Quiet() { redis.SetLogger(&logging.VoidLogger{}) }
