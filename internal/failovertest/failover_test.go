package failovertest

import (
	"maps"
	"net/http"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
)

// stage is a proxy between the load and an app, which asks two nodes.
type stage struct {
	nodes [2]*node
	app   *app
	kinds map[string]kind
	edge  string
}

func startStage(t *testing.T, start edge) *stage {
	t.Helper()
	clerk := clerktest.Start(t, clerktest.Options{Origins: []string{origin}, TokenLifetime: time.Hour})
	document := writeDocument(t, clerk)
	s := &stage{kinds: kinds(t, clerk)}
	for i, name := range []string{"node A", "node B"} {
		s.nodes[i] = startNode(t, name, document)
	}
	s.app = startApp(t, s.kinds)
	s.edge = start(t, s.app.Listener.Addr().String(), s.nodes[0], s.nodes[1])
	return s
}

// under runs a fault under load. The app must not see what it should not, whatever
// happens.
func (s *stage) under(t *testing.T, fault func(l *load)) *load {
	t.Helper()
	before := s.app.wronged.Load()
	l := startLoad(s.edge, s.kinds)
	defer l.finish()
	for _, n := range s.nodes {
		n.awaitChecks(t)
	}
	fault(l)
	l.finish()
	l.report(t)
	if n := s.app.wronged.Load() - before; n > 0 {
		t.Errorf("%d requests reached the app that should not have, or as somebody else", n)
	}
	if l.right == 0 {
		t.Error("no answer was right")
	}
	return l
}

// Times of the faults.
const (
	// gone is how long a node is away before it is started again.
	gone = 2 * time.Second
	// frozen is how long a node does not move.
	frozen = 5 * time.Second
)

// kill ends each of the nodes at once, one after the other.
func (s *stage) kill(t *testing.T, l *load) {
	for _, n := range s.nodes {
		l.strike(n.Kill)
		time.Sleep(gone)
		n.start(t)
		n.awaitChecks(t)
	}
}

// terminate stops a node as a deployment does.
func (s *stage) terminate(t *testing.T, l *load) {
	n := s.nodes[0]
	l.strike(func() { n.Signal(syscall.SIGTERM) })
	<-n.Exited
	time.Sleep(gone / 2)
	n.start(t)
	n.awaitChecks(t)
}

// freeze stops a node's clock: its connections stay open.
func (s *stage) freeze(t *testing.T, l *load) {
	n := s.nodes[0]
	l.strike(func() { n.Signal(syscall.SIGSTOP) })
	time.Sleep(frozen)
	n.Signal(syscall.SIGCONT)
	n.awaitChecks(t)
}

// TestLosingOneOfTwo loses no request. Without either, nothing passes.
func TestLosingOneOfTwo(t *testing.T) {
	for name, edge := range edges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStage(t, edge)
			for _, c := range []struct {
				name  string
				fault func(*testing.T, *load)
			}{{"killed", s.kill}, {"terminated", s.terminate}} {
				t.Run(c.name, func(t *testing.T) {
					if l := s.under(t, func(l *load) { c.fault(t, l) }); len(l.wrong) > 0 {
						t.Errorf("%d requests were lost", len(l.wrong))
					}
				})
			}
			t.Run("both killed", func(t *testing.T) { s.loseBoth(t) })
		})
	}
}

// TestFreezingOneOfTwo counts what is lost while a node does not move: it looks like one
// that is slow, which every proxy waits for by its own times. Without retries and health
// checks that would be half of all.
func TestFreezingOneOfTwo(t *testing.T) {
	edges := maps.Clone(edges)
	edges["envoy"] = envoyByGRPC()
	for name, edge := range edges {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := startStage(t, edge)
			l := s.under(t, func(l *load) { s.freeze(t, l) })
			if all := l.right + len(l.wrong); len(l.wrong) > all/5 {
				t.Errorf("%d of %d requests were lost", len(l.wrong), all)
			}
		})
	}
}

// loseBoth leaves nobody to ask: then nothing passes, and the answer says that it is an
// outage.
func (s *stage) loseBoth(t *testing.T) {
	for _, n := range s.nodes {
		n.Kill()
	}
	before := s.app.received.Load()
	l := startLoad(s.edge, s.kinds)
	time.Sleep(gone / 2)
	l.finish()
	for _, a := range l.wrong {
		if !strings.HasPrefix(a.what, strconv.Itoa(http.StatusServiceUnavailable)+" ") {
			t.Errorf("%s: %s", a.kind, a.what)
		}
	}
	if received := s.app.received.Load() - before; received > 0 || l.right > 0 || len(l.wrong) == 0 {
		t.Errorf("%d requests reached the app, and of %d answers %d were those of a decision", received, l.right+len(l.wrong), l.right)
	}
}
