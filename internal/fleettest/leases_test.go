package fleettest

import (
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/internal/testprocess"
	"github.com/clerkgate/clerkgate/internal/testredis"
)

// quota is what each of the limits lets pass in a day, which no test takes.
const quota = 300

// shared is a limit that two Caddys share, and what came through it.
type shared struct {
	algorithm, consistency, onStoreError string
	asked, passed                        atomic.Int64
}

func (s *shared) name() string { return s.algorithm + "-" + s.consistency + "-" + s.onStoreError }

func (s *shared) caddyfile() string {
	burst := ""
	if s.algorithm == "token_bucket" {
		burst = fmt.Sprintf("burst %d\n", quota)
	}
	return fmt.Sprintf("limit %[1]s %[2]d per 24h by rule {\nalgorithm %[3]s\nconsistency %[4]s\non_store_error %[5]s\n%[6]s}\nrule %[1]s {\npath /%[1]s\naccess public\nlimits %[1]s\n}\n",
		s.name(), quota, s.algorithm, s.consistency, s.onStoreError, burst)
}

// Caddys that share limits crash and come back while they are flooded. What a crash
// loses is quota, and nobody gains any: not where Redis decides alone, and where an
// edge may count by itself never a whole quota more.
func TestCrashesGrantNoQuota(t *testing.T) {
	testprocess.CaddyBinary(t)
	redis, clerk := testredis.Start(t), clerktest.Start(t, clerktest.Options{})
	var limits []*shared
	for _, algorithm := range []string{"fixed_window", "sliding_window", "token_bucket"} {
		for _, consistency := range []string{"exact", "leased"} {
			for _, onStoreError := range []string{"deny", "local"} {
				limits = append(limits, &shared{algorithm: algorithm, consistency: consistency, onStoreError: onStoreError})
			}
		}
	}
	edges := []*caddy{limiting(t, clerk, redis, limits), limiting(t, clerk, redis, limits)}
	var flood sync.WaitGroup
	var over atomic.Bool
	for _, limit := range limits {
		for _, e := range edges {
			flood.Go(func() {
				for !over.Load() {
					limit.ask("http://" + e.address)
				}
			})
		}
	}
	least := func() int64 {
		n := limits[0].asked.Load()
		for _, limit := range limits[1:] {
			n = min(n, limit.asked.Load())
		}
		return n
	}
	for crash := range 6 {
		before := least()
		eventually(t, "a flood", func() bool { return least() > before+quota/3 })
		e := edges[crash%2]
		e.Kill()
		e.start(t)
	}
	eventually(t, "more than there is", func() bool { return least() > 4*quota })
	over.Store(true)
	flood.Wait()
	for _, limit := range limits {
		passed := limit.passed.Load()
		t.Logf("%s: %d of %d passed", limit.name(), passed, limit.asked.Load())
		if limit.onStoreError == "deny" && passed > quota || passed >= 2*quota {
			t.Errorf("%s: %d passed of a quota of %d", limit.name(), passed, quota)
		}
		if passed == 0 {
			t.Errorf("%s: nothing passed", limit.name())
		}
	}
}

// ask sends a request under the limit. One that breaks off counts for nothing.
func (s *shared) ask(origin string) {
	response, err := client.Get(origin + "/" + s.name())
	if err != nil {
		return
	}
	defer response.Body.Close()
	if _, err := io.Copy(io.Discard, response.Body); err != nil {
		return
	}
	s.asked.Add(1)
	if response.StatusCode == http.StatusOK {
		s.passed.Add(1)
	}
}

// limiting is a Caddy with the limits.
func limiting(t *testing.T, clerk *clerktest.Instance, redis *testredis.Server, limits []*shared) *caddy {
	t.Helper()
	var lines strings.Builder
	for _, limit := range limits {
		lines.WriteString(limit.caddyfile())
	}
	c := &caddy{address: testprocess.Address(t)}
	dir := t.TempDir()
	file := filepath.Join(dir, "Caddyfile")
	text := fmt.Sprintf("{\nadmin off\npersist_config off\nauto_https off\nlog {\nlevel ERROR\n}\n}\nhttp://%s {\nclerk_auth {\npublishable_key %s\njwt_key %q\nredis redis://%s\n%s}\nrespond ok\n}\n",
		c.address, clerk.PublishableKey(), clerk.PublicKeyPEM(), redis.Addr, &lines)
	if err := os.WriteFile(file, []byte(strings.ReplaceAll(text, `\n`, "\n")), 0o600); err != nil {
		t.Fatal(err)
	}
	c.command = func() *exec.Cmd { return testprocess.Caddy(t, file, dir) }
	c.start(t)
	return c
}
