// Command ratelimit compares, in one run, what a check of a limit costs in memory
// and on Redis with a bare script call and a bare PING through the same client.
//
//	go run ./bench/ratelimit -redis 127.0.0.1:6379
//	go run ./bench/ratelimit -redis 127.0.0.1:6379 -freeze $(pidof redis-server)
//
// The server should be on the same machine and otherwise idle. What counts are
// the ratios, for all figures of a run share the machine.
package main

import (
	"context"
	"encoding/binary"
	"errors"
	"flag"
	"fmt"
	"math"
	"os"
	"slices"
	"strconv"
	"sync"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

func main() {
	address := flag.String("redis", "127.0.0.1:6379", "host:port of the server")
	callers := flag.Int("callers", 64, "goroutines that ask at once")
	keys := flag.Int("keys", 100, "keys that are asked for in turn")
	duration := flag.Duration("duration", 2*time.Second, "time of each measurement")
	rounds := flag.Int("rounds", 3, "measurements of each kind, in turn; the median counts")
	script := flag.String("script", "ratelimit/take.lua", "the limiter's script, for the bare calls")
	pid := flag.Int("freeze", 0, "process id of the server: also freeze it for three seconds")
	flag.Parse()
	if err := start(*address, *script, *callers, *keys, *duration, *rounds, *pid); err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

// contestant is one way to check a limit. The returned function is for one
// goroutine.
type contestant struct {
	name string
	make func() func(key string) error
}

func start(address, scriptFile string, callers, keys int, duration time.Duration, rounds, pid int) error {
	client, err := redisclient.New(redisclient.Config{Addresses: policy.StringList{address}})
	if err != nil {
		return err
	}
	defer client.Close()
	if err := compare(client, scriptFile, callers, keys, duration, rounds); err != nil || pid == 0 {
		return err
	}
	return freeze(client, pid, callers)
}

func compare(client redis.UniversalClient, scriptFile string, callers, keys int, duration time.Duration, rounds int) error {
	source, err := os.ReadFile(scriptFile)
	if err != nil {
		return err
	}
	script := redis.NewScript(string(source))
	if err := script.Load(context.Background(), client).Err(); err != nil {
		return err
	}
	store := ratelimit.NewRedis(client, ratelimit.RedisOptions{Prefix: "bench", Budget: time.Second})
	defer store.Close()
	memory := ratelimit.NewMemory(ratelimit.Options{})

	contestants := []contestant{
		{"PING", func() func(string) error {
			return func(string) error { return client.Ping(context.Background()).Err() }
		}},
		{"EVALSHA", func() func(string) error { return bare(client, script) }},
		{"exact", func() func(string) error { return limiter(store, policy.Exact) }},
		{"leased", func() func(string) error { return limiter(store, policy.Leased) }},
		{"memory", func() func(string) error { return limiter(memory, "") }},
	}
	names := make([]string, keys)
	for i := range names {
		names[i] = "user_2f8TnBrJ0kqPpXzW" + strconv.Itoa(i)
	}
	for _, n := range []int{1, callers} {
		if err := run(contestants, names, n, duration, rounds); err != nil {
			return err
		}
	}
	stats := store.Stats()
	fmt.Printf("\nexact and leased: %d round trips, %d requests in them, %d failed\n", stats.RoundTrips, stats.Requests, stats.Failures)
	return nil
}

// quota is so large that nobody is refused: a refusal is cheaper than a pass.
var quota = policy.Quota{Algorithm: policy.SlidingWindow, Limit: 100_000_000, Window: 10 * time.Second}

func limiter(l policy.Limiter, consistency policy.Consistency) func(string) error {
	checks := []policy.LimitCheck{{Name: "per-user", Quota: quota, Cost: 1, Consistency: consistency, OnStoreError: policy.StoreErrorDeny}}
	results := make([]policy.LimitResult, 1)
	return func(key string) error {
		checks[0].Key = key
		if err := l.Take(context.Background(), time.Now(), checks, results); err != nil {
			return err
		}
		if !results[0].Allowed {
			return fmt.Errorf("the %s limiter refused", consistency)
		}
		return nil
	}
}

// bare is a check as a plain call of the limiter's own script: one round trip, one
// key, and the records that its head describes.
func bare(client redis.UniversalClient, script *redis.Script) func(string) error {
	ctx := context.Background()
	check := []byte{1, 1, 0, 0, 0, 1, 0, 0, 0} // the first quota, cost and want 1
	limits := []byte{1}                        // sliding window
	for _, n := range []float64{float64(quota.Limit), float64(quota.Window), 0} {
		limits = binary.LittleEndian.AppendUint64(limits, math.Float64bits(n))
	}
	return func(key string) error {
		return script.EvalSha(ctx, client, []string{"bench:" + key}, check, limits).Err()
	}
}

// figures of one measurement.
type figures struct {
	rate     float64
	p50, p99 time.Duration
}

func run(contestants []contestant, keys []string, callers int, duration time.Duration, rounds int) error {
	all := make([][]figures, len(contestants))
	for range rounds {
		for i, c := range contestants {
			f, err := measure(c, keys, callers, duration)
			if err != nil {
				return fmt.Errorf("%s: %w", c.name, err)
			}
			all[i] = append(all[i], f)
		}
	}
	fmt.Printf("\n%d callers, %d keys, median of %d rounds of %v\n", callers, len(keys), rounds, duration)
	fmt.Printf("%-10s %12s %10s %10s %10s\n", "", "checks/s", "x EVALSHA", "p50", "p99")
	base := median(all[1])
	for i, c := range contestants {
		f := median(all[i])
		fmt.Printf("%-10s %12.0f %10.2f %10v %10v   p50 %.2f, p99 %.2f of EVALSHA\n", c.name, f.rate, f.rate/base.rate, f.p50, f.p99,
			float64(f.p50)/float64(base.p50), float64(f.p99)/float64(base.p99))
	}
	return nil
}

// median takes each figure by itself.
func median(all []figures) figures {
	middle := len(all) / 2
	pick := func(read func(figures) float64) float64 {
		values := make([]float64, len(all))
		for i := range all {
			values[i] = read(all[i])
		}
		slices.Sort(values)
		return values[middle]
	}
	return figures{
		rate: pick(func(f figures) float64 { return f.rate }),
		p50:  time.Duration(pick(func(f figures) float64 { return float64(f.p50) })),
		p99:  time.Duration(pick(func(f figures) float64 { return float64(f.p99) })),
	}
}

// measure has callers check as fast as they can. The first tenth of the time is
// not counted.
func measure(c contestant, keys []string, callers int, duration time.Duration) (figures, error) {
	var wg sync.WaitGroup
	took := make([][]time.Duration, callers)
	errs := make([]error, callers)
	begin := time.Now()
	counted, end := begin.Add(duration/10), begin.Add(duration+duration/10)
	for i := range callers {
		wg.Go(func() {
			check := c.make()
			samples := make([]time.Duration, 0, 1<<16)
			n := i * 7919
			for at := begin; at.Before(end); {
				n++
				if errs[i] = check(keys[n%len(keys)]); errs[i] != nil {
					return
				}
				now := time.Now()
				if at.After(counted) {
					samples = append(samples, now.Sub(at))
				}
				at = now
			}
			took[i] = samples
		})
	}
	wg.Wait()
	for _, err := range errs {
		if err != nil {
			return figures{}, err
		}
	}
	samples := slices.Concat(took...)
	if len(samples) == 0 {
		return figures{}, errors.New("no check ended in time")
	}
	slices.Sort(samples)
	return figures{
		rate: float64(len(samples)) / duration.Seconds(),
		p50:  samples[len(samples)/2],
		p99:  samples[len(samples)*99/100],
	}, nil
}
