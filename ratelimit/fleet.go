package ratelimit

import (
	_ "embed"
	"encoding/binary"
	"math/rand/v2"
	"strconv"
	"sync/atomic"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed heartbeat.lua
var heartbeatSource string

// heartbeat counts the processes of a fleet in the store.
var heartbeat = redis.NewScript(heartbeatSource)

// heartbeatInterval is how often a process reports itself. After three missed
// heartbeats it is no longer counted.
const heartbeatInterval = 5 * time.Second

// fleet are the processes that share the counts of one Clerk instance in one store.
type fleet struct {
	namespace uint64
	// size is how many they were at the last answer of the store; 1 before.
	size   atomic.Int64
	joined atomic.Bool
}

func newFleetOf(namespace uint64) *fleet {
	f := &fleet{namespace: namespace}
	f.size.Store(1)
	return f
}

// joinFleet counts this process as one of the fleet, from its first call to the store
// until r is closed.
func (r *Redis) joinFleet(f *fleet) {
	if r.callerTime || f.joined.Load() || !f.joined.CompareAndSwap(false, true) {
		return
	}
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], rand.Uint64())
	key := []string{r.prefix + ":limit:{" + tags[0] + "}:fleet:" + strconv.FormatUint(f.namespace, 16)}
	r.background(func() {
		ticker := time.NewTicker(heartbeatInterval)
		defer ticker.Stop()
		for {
			if size, err := heartbeat.Run(r.callBudget.context(), r.client, key, id[:]).Int64(); err == nil {
				f.size.Store(max(1, size))
			}
			select {
			case <-r.ctx.Done():
				return
			case <-ticker.C:
			}
		}
	})
}
