package redisclient

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// LogTo hands the lines of the driver's own log to a host that has a log of its
// own, and other users of the driver in its process. It is for init functions.
func LogTo(log func(line string)) { redis.SetLogger(lines(log)) }

type lines func(line string)

// Printf implements the driver's logger.
func (l lines) Printf(_ context.Context, format string, v ...any) { l(fmt.Sprintf(format, v...)) }
