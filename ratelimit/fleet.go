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

//go:embed beat.lua
var beatSource string

// beat counts the instances of a fleet in the store.
var beat = redis.NewScript(beatSource)

// beatInterval is how often an instance is heard of: three times before it counts
// as gone.
const beatInterval = 5 * time.Second

// fleet are the processes that count for one Clerk instance on one store.
type fleet struct {
	realm uint64
	// size is how many they were when the store was last heard of; 1 before.
	size    atomic.Int64
	beating atomic.Bool
}

func newFleetOf(realm uint64) *fleet {
	f := &fleet{realm: realm}
	f.size.Store(1)
	return f
}

// join has this process counted among the fleet, from the first time it counts
// something to the end of r.
func (r *Redis) join(f *fleet) {
	if r.instants || f.beating.Load() || !f.beating.CompareAndSwap(false, true) {
		return
	}
	var id [8]byte
	binary.LittleEndian.PutUint64(id[:], rand.Uint64())
	key := []string{r.prefix + ":limit:{" + tags[0] + "}:fleet:" + strconv.FormatUint(f.realm, 16)}
	r.background(func() {
		ticker := time.NewTicker(beatInterval)
		defer ticker.Stop()
		for {
			if size, err := beat.Run(r.deadline.context(), r.client, key, id[:]).Int64(); err == nil {
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
