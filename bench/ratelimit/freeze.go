package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"syscall"
	"time"

	"github.com/redis/go-redis/v9"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/ratelimit"
)

// freeze stops the server's process for three seconds while callers check at a
// steady pace, and tells what the checks took before, in the first second, and
// after it.
func freeze(client redis.UniversalClient, pid, callers int) error {
	server, err := os.FindProcess(pid)
	if err != nil {
		return err
	}
	store := ratelimit.NewRedis(client, ratelimit.RedisOptions{Prefix: "bench"})
	defer store.Close()
	begin := time.Now()
	frozen, end := begin.Add(2*time.Second), begin.Add(5*time.Second)
	phases := []time.Time{frozen, frozen.Add(time.Second), end}
	took := make([][]time.Duration, len(phases))
	var mu sync.Mutex
	var wg sync.WaitGroup
	for i := range callers {
		wg.Go(func() {
			samples := pace(store, fmt.Sprint("key", i), phases)
			mu.Lock()
			defer mu.Unlock()
			for phase := range samples {
				took[phase] = append(took[phase], samples[phase]...)
			}
		})
	}
	time.Sleep(time.Until(frozen))
	if err := server.Signal(syscall.SIGSTOP); err != nil {
		return err
	}
	wg.Wait()
	if err := server.Signal(syscall.SIGCONT); err != nil {
		return err
	}
	fmt.Printf("\nserver frozen, %d callers, each every 5ms, budget %v\n", callers, ratelimit.DefaultBudget)
	for i, name := range []string{"before", "first second", "after it"} {
		slices.Sort(took[i])
		n := len(took[i])
		fmt.Printf("%-14s %6d checks, p50 %v, p99 %v, max %v\n", name, n, took[i][n/2], took[i][n*99/100], took[i][n-1])
	}
	return nil
}

// pace checks every five milliseconds, and returns what that took by phase.
func pace(l policy.Limiter, key string, phases []time.Time) [][]time.Duration {
	took := make([][]time.Duration, len(phases))
	checks := []policy.LimitCheck{{Name: "per-user", Key: key, Quota: quota, Cost: 1}}
	results := make([]policy.LimitResult, 1)
	ticker := time.NewTicker(5 * time.Millisecond)
	defer ticker.Stop()
	for phase := 0; ; {
		<-ticker.C
		begin := time.Now()
		for begin.After(phases[phase]) {
			if phase++; phase == len(phases) {
				return took
			}
		}
		if err := l.Take(context.Background(), begin, checks, results); err != nil {
			panic(err) // a limit of policy local answers always
		}
		took[phase] = append(took[phase], time.Since(begin))
	}
}
