package testredis

import (
	"fmt"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// Cluster is a Redis Cluster of three nodes without replicas. Every node holds
// a third of the slots.
type Cluster struct {
	Nodes [3]*Server
}

// slots of a cluster.
const slots = 16384

// StartNode runs a server that is to be a node of a cluster, and holds no slot yet.
func StartNode(tb testing.TB, args ...string) *Server {
	tb.Helper()
	bus := testprocess.Address(tb)
	return Start(tb, append([]string{"--cluster-enabled", "yes", "--cluster-port", bus[strings.LastIndexByte(bus, ':')+1:]}, args...)...)
}

// StartCluster runs a cluster and waits until every node sees all slots served.
func StartCluster(tb testing.TB, args ...string) *Cluster {
	tb.Helper()
	c := &Cluster{}
	for i := range c.Nodes {
		c.Nodes[i] = StartNode(tb, append([]string{"--cluster-node-timeout", "1000"}, args...)...)
		first, last := i*slots/len(c.Nodes), (i+1)*slots/len(c.Nodes)-1
		c.Nodes[i].Do(tb, "CLUSTER", "ADDSLOTSRANGE", first, last)
		c.Nodes[i].Do(tb, "CLUSTER", "SET-CONFIG-EPOCH", i+1)
	}
	for _, node := range c.Nodes[1:] {
		first := c.Nodes[0]
		node.Do(tb, "CLUSTER", "MEET", "127.0.0.1", first.port(), busPort(first))
	}
	for _, node := range c.Nodes {
		node.await(tb, "the cluster", func() bool {
			return strings.Contains(fmt.Sprint(node.Do(tb, "CLUSTER", "INFO")), "cluster_state:ok") &&
				strings.Count(fmt.Sprint(node.Do(tb, "CLUSTER", "NODES")), " connected ") == len(c.Nodes)
		})
	}
	return c
}

// Addrs returns the addresses of all nodes.
func (c *Cluster) Addrs() []string {
	addrs := make([]string, len(c.Nodes))
	for i, node := range c.Nodes {
		addrs[i] = node.Addr
	}
	return addrs
}

// Slot returns the slot of a key, and the index of the node that was given it at
// the start.
func (c *Cluster) Slot(tb testing.TB, key string) (slot, node int) {
	tb.Helper()
	slot = int(c.Nodes[0].Do(tb, "CLUSTER", "KEYSLOT", key).(int64))
	for node = range c.Nodes {
		if slot < (node+1)*slots/len(c.Nodes) {
			break
		}
	}
	return slot, node
}

// StartMove begins to move a slot: the node that has it answers ASK for the keys
// it does not have.
func (c *Cluster) StartMove(tb testing.TB, slot, from, to int) {
	tb.Helper()
	c.Nodes[to].Do(tb, "CLUSTER", "SETSLOT", slot, "IMPORTING", c.Nodes[from].id(tb))
	c.Nodes[from].Do(tb, "CLUSTER", "SETSLOT", slot, "MIGRATING", c.Nodes[to].id(tb))
}

// FinishMove moves the keys of a slot and hands it over: the node that had it
// answers MOVED.
func (c *Cluster) FinishMove(tb testing.TB, slot, from, to int) {
	tb.Helper()
	for {
		keys := c.Nodes[from].Do(tb, "CLUSTER", "GETKEYSINSLOT", slot, 100).([]any)
		if len(keys) == 0 {
			break
		}
		args := []any{"MIGRATE", "127.0.0.1", c.Nodes[to].port(), "", 0, 1000, "REPLACE", "KEYS"}
		c.Nodes[from].Do(tb, append(args, keys...)...)
	}
	for _, node := range []int{to, from, 3 - from - to} {
		c.Nodes[node].Do(tb, "CLUSTER", "SETSLOT", slot, "NODE", c.Nodes[to].id(tb))
	}
}

func (s *Server) id(tb testing.TB) string {
	return s.Do(tb, "CLUSTER", "MYID").(string)
}

func busPort(s *Server) string {
	for i, arg := range s.args {
		if arg == "--cluster-port" {
			return s.args[i+1]
		}
	}
	return ""
}

// Sentinel is a master with a replica, and a sentinel that watches both.
type Sentinel struct {
	// Master is the name under which the pair is watched.
	Master string
	// Sentinel is the process to ask, Nodes are the pair: the first master, then
	// its replica.
	Sentinel *Server
	Nodes    [2]*Server
}

// StartSentinel runs all three and waits until a failover is possible. The
// master counts as down after half a second without an answer.
func StartSentinel(tb testing.TB, args ...string) *Sentinel {
	tb.Helper()
	s := &Sentinel{Master: "mymaster"}
	args = append([]string{"--repl-diskless-sync-delay", "0"}, args...)
	s.Nodes[0] = Start(tb, args...)
	s.Nodes[1] = Start(tb, append(args, "--replicaof", "127.0.0.1 "+strconv.Itoa(s.Nodes[0].port()))...)
	s.Nodes[1].await(tb, "the replica", func() bool {
		return strings.Contains(fmt.Sprint(s.Nodes[1].Do(tb, "INFO", "replication")), "master_link_status:up")
	})
	s.Sentinel = startSentinel(tb)
	// It looks often, so that nobody waits for it.
	s.Sentinel.Do(tb, "SENTINEL", "DEBUG", "INFO-PERIOD", 200, "PING-PERIOD", 100, "PUBLISH-PERIOD", 200)
	s.Sentinel.Do(tb, "SENTINEL", "MONITOR", s.Master, "127.0.0.1", s.Nodes[0].port(), 1)
	s.Sentinel.Do(tb, "SENTINEL", "SET", s.Master, "down-after-milliseconds", 500)
	s.Sentinel.Do(tb, "SENTINEL", "SET", s.Master, "failover-timeout", 3000)
	s.Sentinel.await(tb, "the sentinel", func() bool {
		replicas := fmt.Sprint(s.Sentinel.Do(tb, "SENTINEL", "REPLICAS", s.Master))
		return strings.Contains(replicas, "master-link-status:ok")
	})
	return s
}

// Failover makes the replica the master, as an operator would, and waits until
// the old master has become its replica, which answers READONLY.
func (s *Sentinel) Failover(tb testing.TB) {
	tb.Helper()
	s.Sentinel.Do(tb, "SENTINEL", "FAILOVER", s.Master)
	s.Nodes[0].await(tb, "the failover", func() bool {
		// It resets its connections on the way, also this one.
		info, err := s.Nodes[0].do(tb.Context(), "INFO", "replication")
		return err == nil && strings.Contains(fmt.Sprint(info), "role:slave")
	})
}

// startSentinel runs a sentinel, which insists on a file it can write to.
func startSentinel(tb testing.TB) *Server {
	tb.Helper()
	file := filepath.Join(tb.TempDir(), "sentinel.conf")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		tb.Fatal(err)
	}
	return run(tb, file, "--sentinel")
}

// await looks until it is ready.
func (s *Server) await(tb testing.TB, what string, ready func() bool) {
	tb.Helper()
	err := testprocess.Poll(func() (bool, error) {
		if ready() {
			return false, nil
		}
		return false, fmt.Errorf("%s at %s is not ready", what, s.Addr)
	})
	if err != nil {
		tb.Fatal(err)
	}
}
