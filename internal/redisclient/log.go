package redisclient

import (
	"context"
	"fmt"

	"github.com/redis/go-redis/v9"
)

// LogTo passes the lines of the driver's own log to log, for the whole process. It is
// for init functions.
func LogTo(log func(line string)) { redis.SetLogger(lines(log)) }

type lines func(line string)

// Printf implements the driver's logger.
func (l lines) Printf(_ context.Context, format string, v ...any) { l(fmt.Sprintf(format, v...)) }
