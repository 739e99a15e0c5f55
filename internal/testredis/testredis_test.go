package testredis

import (
	"context"
	"errors"
	"net"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"
)

func TestAServerStopsStartsAndFreezes(t *testing.T) {
	t.Parallel()
	s := Start(t)
	s.Do(t, "SET", "k", "v")
	s.Pause(t)
	ctx, cancel := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer cancel()
	client := redis.NewClient(&redis.Options{Addr: s.Addr, ContextTimeoutEnabled: true, MaxRetries: -1})
	defer client.Close()
	if err := client.Get(ctx, "k").Err(); err == nil {
		t.Error("a frozen server answers")
	}
	s.Resume(t)
	if got := s.Do(t, "GET", "k"); got != "v" {
		t.Errorf("got %v after the pause, want v", got)
	}
	s.Restart(t)
	if n := s.Do(t, "DBSIZE"); n != int64(0) {
		t.Errorf("%v keys after the restart, want 0", n)
	}
	s.Stop(t)
	if conn, err := net.Dial("tcp", s.Addr); err == nil {
		conn.Close()
		t.Error("somebody listens after the stop")
	}
}

func TestAClusterMovesItsSlots(t *testing.T) {
	t.Parallel()
	c := StartCluster(t)
	client := redis.NewClusterClient(&redis.ClusterOptions{Addrs: c.Addrs()[:1]})
	defer client.Close()
	if err := client.Set(t.Context(), "k", "v", 0).Err(); err != nil {
		t.Fatal(err)
	}
	slot, from := c.Slot(t, "k")
	to := (from + 1) % len(c.Nodes)
	c.StartMove(t, slot, from, to)
	if got, err := client.Get(t.Context(), "k").Result(); got != "v" {
		t.Errorf("got %q, %v while the slot moves", got, err)
	}
	c.FinishMove(t, slot, from, to)
	if got, err := client.Get(t.Context(), "k").Result(); got != "v" {
		t.Errorf("got %q, %v after the slot moved", got, err)
	}
	direct := c.Nodes[from].Client(t)
	if err := direct.Get(t.Context(), "k").Err(); !redis.HasErrorPrefix(err, "MOVED") {
		t.Errorf("the node that had the slot says %v, want MOVED", err)
	}
}

func TestASentinelFailsOver(t *testing.T) {
	t.Parallel()
	s := StartSentinel(t)
	s.Nodes[0].Do(t, "SET", "k", "v")
	s.Nodes[0].Do(t, "WAIT", 1, 5000)
	s.Failover(t)
	if err := s.Nodes[0].Client(t).Set(t.Context(), "k", "w", 0).Err(); !redis.HasErrorPrefix(err, "READONLY") {
		t.Errorf("the old master says %v, want READONLY", err)
	}
	client := redis.NewFailoverClient(&redis.FailoverOptions{MasterName: s.Master, SentinelAddrs: []string{s.Sentinel.Addr}})
	defer client.Close()
	if err := client.Set(t.Context(), "k", "w", 0).Err(); err != nil && !errors.Is(err, context.Canceled) {
		t.Errorf("the new master says %v", err)
	}
}

func TestALinkCanBeCutAndHealed(t *testing.T) {
	t.Parallel()
	server := Start(t)
	link := NewLink(t, server.Addr)
	client := redis.NewClient(&redis.Options{Addr: link.Addr, MaxRetries: -1, DialerRetries: 1})
	defer client.Close()
	for _, cut := range []bool{false, true, false} {
		if link.Heal(); cut {
			link.Cut()
		}
		if err := client.Ping(t.Context()).Err(); (err != nil) != cut {
			t.Errorf("cut %t: %v", cut, err)
		}
	}
}
