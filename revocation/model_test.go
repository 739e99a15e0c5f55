package revocation

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/redisclient"
	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

var (
	modelTime = flag.Duration("revocation.model", 8*time.Second, "how long nodes, clocks and stores go wrong at random")
	modelSeed = flag.Uint64("revocation.seed", 0, "the seed of that; 0 is another one each time")
)

// The longest lifetime in the model is that of its tokens.
var modelLifetimes = []time.Duration{5 * time.Second, 15 * time.Second, 30 * time.Second}

// world is what may go wrong: nodes that come and go, and their clocks, the ways to
// the store, and the store itself.
type world struct {
	t      *testing.T
	rand   *rand.Rand
	server *testredis.Server
	up     bool
	nodes  map[int]*modelNode
	next   int
	// ended are the sessions that have ended, and when their tokens do.
	ended map[string]*ending
	did   map[string]int
}

type modelNode struct {
	*Service
	clock *clock
	link  *testredis.Link
	cut   bool
	stop  func()
	name  string
}

type ending struct {
	issued time.Time
	// stored: the store said that it has it.
	stored bool
	// lost: no node that runs knows of it, and neither does the store. alone: and no
	// node ran, so that it was the store that lost it.
	lost, alone bool
	lostAt      time.Time
	// refused are the nodes that refused it once.
	refused map[int]bool
}

func (w *world) start() *modelNode {
	w.next++
	c := newClock()
	link := testredis.NewLink(w.t, w.server.Addr)
	client, err := redisclient.New(at(link.Addr))
	if err != nil {
		w.t.Fatal(err)
	}
	lifetime := modelLifetimes[w.rand.IntN(len(modelLifetimes))]
	n := &modelNode{clock: c, link: link}
	n.Service = New(c.options(Options{Redis: client, Lifetime: lifetime, Deny: w.rand.IntN(2) == 0, times: quick}))
	n.name = fmt.Sprintf("node %d (lifetime %v, deny %t)", w.next, lifetime, n.options.Deny)
	n.Start(w.t.Context())
	n.stop = func() {
		n.Close()
		client.Close()
		link.Cut()
	}
	w.nodes[w.next] = n
	return n
}

// some picks one node that runs.
func (w *world) some() (int, *modelNode) {
	if len(w.nodes) == 0 {
		return 0, nil
	}
	i := slices.Sorted(maps.Keys(w.nodes))[w.rand.IntN(len(w.nodes))]
	return i, w.nodes[i]
}

func (n *modelNode) ask(session string, issued time.Time) policy.Reason {
	return n.Revoked(&policy.Principal{TokenType: policy.SessionToken, SessionID: session, UserID: "user_1", IssuedAt: issued}, n.clock.now())
}

// knows reports whether a node has an entry.
func (n *modelNode) knows(session string) bool {
	return n.stateOf(subject{Session, session, ""}).always
}

// stored is what the log holds.
func (w *world) stored() string {
	return fmt.Sprint(w.server.Do(w.t, "XRANGE", newKeys("clerkgate", "").log, "-", "+"))
}

// reckon finds what nobody knows any more. It is for after something was lost, when
// the store can be asked.
func (w *world) reckon() {
	if !w.up {
		return
	}
	stored := w.stored()
	for session, e := range w.ended {
		known := strings.Contains(stored, `"`+session+`"`)
		for _, n := range w.nodes {
			known = known || n.knows(session)
		}
		if !known && !e.lost && e.current() {
			e.lost, e.alone, e.lostAt = true, e.stored && len(w.nodes) == 0, time.Now()
		}
	}
}

// current reports whether a token of a session that ended still could be used.
func (e *ending) current() bool {
	return time.Since(e.issued) < modelLifetimes[len(modelLifetimes)-1]
}

// step does one thing at random.
func (w *world) step() {
	type act struct {
		name   string
		weight int
		do     func()
	}
	acts := []act{
		{"end a session", 60, func() {
			if _, n := w.some(); n != nil {
				session := fmt.Sprintf("sess_%d", len(w.ended))
				e := &ending{issued: time.Now().Add(-time.Millisecond), refused: map[int]bool{}}
				w.ended[session] = e
				e.stored = n.RevokeSession(w.t.Context(), session) == nil // else Clerk would tell it again
			}
		}},
		{"set a clock", 10, func() {
			if _, n := w.some(); n != nil {
				n.clock.set.Store(int64([]time.Duration{0, time.Minute, -time.Minute, time.Hour, -time.Hour, 24 * time.Hour, -24 * time.Hour, 400 * 24 * time.Hour}[w.rand.IntN(8)]))
			}
		}},
		{"let a clock drift", 10, func() {
			if _, n := w.some(); n != nil {
				n.clock.set.Add(w.rand.Int64N(int64(200*time.Millisecond)) - int64(100*time.Millisecond))
			}
		}},
		{"cut or heal a way", 10, func() {
			if _, n := w.some(); n != nil {
				if n.cut = !n.cut; n.cut {
					n.link.Cut()
				} else {
					n.link.Heal()
				}
			}
		}},
		{"start a node", 4, func() {
			if len(w.nodes) < 5 {
				w.start()
			}
		}},
		{"end a node", 3, func() {
			if i, n := w.some(); n != nil {
				n.stop()
				delete(w.nodes, i)
				w.reckon()
			}
		}},
		{"take a snapshot", 4, func() {
			if w.up {
				w.server.Do(w.t, "SAVE")
			}
		}},
		{"restart the store with its snapshot", 2, func() {
			if w.up {
				w.server.Restart(w.t)
				w.reckon()
			}
		}},
		{"stop or start the store", 2, func() {
			if w.up = !w.up; w.up {
				w.server.Start(w.t)
				w.reckon()
			} else {
				w.server.Stop(w.t)
			}
		}},
		{"flush the store", 1, func() {
			if w.up {
				w.server.Do(w.t, "FLUSHALL")
				w.reckon()
			}
		}},
	}
	total := 0
	for _, a := range acts {
		total += a.weight
	}
	pick := w.rand.IntN(total)
	for _, a := range acts {
		if pick -= a.weight; pick < 0 {
			w.did[a.name]++
			a.do()
			return
		}
	}
}

// watch holds the nodes to what they knew once, and to what they must know now.
func (w *world) watch() {
	for i, n := range w.nodes {
		for session, e := range w.ended {
			if !e.current() || w.rand.IntN(8) > 0 {
				continue
			}
			known := n.knows(session)
			reason := n.ask(session, e.issued)
			if reason == "" && (known || e.refused[i]) && e.current() {
				w.t.Errorf("%s lets %s pass, of which it knew, with its clock %v away", n.name, session, time.Duration(n.clock.set.Load()))
			}
			e.refused[i] = e.refused[i] || reason != "" && reason != policy.ReasonRevocationsUnavailable && known
		}
	}
}

// heal mends everything, and waits until all that is known is known to all.
func (w *world) heal() {
	if !w.up {
		w.server.Start(w.t)
		w.up = true
		w.reckon()
	}
	for _, n := range w.nodes {
		n.clock.set.Store(0)
		n.link.Heal()
		n.cut = false
	}
	if len(w.nodes) == 0 {
		w.start()
	}
	began := time.Now()
	for _, n := range w.nodes {
		eventually(w.t, "readiness of "+n.name, n.Ready)
	}
	late := w.start()
	for _, n := range w.nodes {
		eventually(w.t, "readiness of "+n.name, n.Ready)
		for began := time.Now(); w.passing(n) != ""; time.Sleep(5 * time.Millisecond) {
			if time.Since(began) > patience/2 {
				w.explain(n, w.passing(n))
			}
		}
	}
	// One that starts knows it from the first moment on.
	last := w.start()
	eventually(w.t, "readiness of "+last.name, last.Ready)
	if session := w.passing(last); session != "" {
		w.t.Errorf("%s was ready and let %s pass", last.name, session)
	}
	if w.passing(late) != "" {
		w.t.Errorf("%s does not know any more", late.name)
	}
	w.did["(all mended)"]++
	w.did["(slowest, in ms)"] = max(w.did["(slowest, in ms)"], int(time.Since(began).Milliseconds()))
	for _, n := range w.nodes {
		eventually(w.t, "letting pass who goes on, at "+n.name, func() bool { return n.ask("sess_goes_on", time.Now()) == "" })
	}
	for _, i := range slices.Sorted(maps.Keys(w.nodes)) {
		if len(w.nodes) <= 3 {
			break
		}
		w.nodes[i].stop()
		delete(w.nodes, i)
	}
	w.reckon()
}

// passing is a session that ended and that a node lets pass though it is to be known;
// or none.
func (w *world) passing(n *modelNode) string {
	for session, e := range w.ended {
		excused := e.lost && !(e.alone && n.options.Deny && n.began.After(e.lostAt))
		if !excused && n.ask(session, e.issued) == "" && e.current() {
			return session
		}
	}
	return ""
}

// explain ends the test over a session that a node lets pass.
func (w *world) explain(n *modelNode, session string) {
	e := w.ended[session]
	w.t.Errorf("%s lets %s pass, which ended %v ago (%+v)", n.name, session, time.Since(e.issued), *e)
	w.t.Logf("stored: %t", strings.Contains(w.stored(), `"`+session+`"`))
	for _, n := range w.nodes {
		w.t.Logf("%s knows it: %t, ready %t, %+v, floor %v, behind %v, ahead %v, retention %v", n.name, n.knows(session), n.Ready(), n.Stats(), n.allStaleUntil.Load(), n.clockBehind.Load(), n.storeAhead.Load(), n.retention.Load())
	}
	w.t.FailNow()
}

// crash loses what the store was told since its snapshot, while somebody starts.
func (w *world) crash() {
	if !w.up {
		return
	}
	w.server.Restart(w.t)
	w.reckon()
	// Those who have a way tell it again before who starts is ready.
	told := map[string]bool{}
	for session := range w.ended {
		for _, n := range w.nodes {
			told[session] = told[session] || n.knows(session) && !n.cut && n.phase.Load() != starting
		}
	}
	n := w.start()
	deadline := time.Now().Add(patience)
	for n.ask("sess_goes_on", time.Now()) == policy.ReasonRevocationsUnavailable {
		if time.Now().After(deadline) {
			w.t.Fatalf("%s does not become ready", n.name)
		}
		time.Sleep(time.Millisecond)
	}
	for session, e := range w.ended {
		if told[session] && n.ask(session, e.issued) == "" && e.current() {
			w.t.Errorf("%s started on an older snapshot and let %s pass", n.name, session)
		}
	}
	w.did["(crashes while one starts)"]++
}

// Whatever clocks, settings, links and stores do, no token of a session that ended
// passes where the documentation says that it does not.
func TestModel(t *testing.T) {
	t.Parallel()
	seed := *modelSeed
	if seed == 0 {
		seed = rand.Uint64()
	}
	t.Logf("-revocation.seed=%d", seed)
	w := &world{t: t, rand: rand.New(rand.NewPCG(seed, 0)), server: testredis.Start(t), up: true, nodes: map[int]*modelNode{}, ended: map[string]*ending{}, did: map[string]int{}}
	for range 3 {
		w.start()
	}
	for began := time.Now(); time.Since(began) < *modelTime && !t.Failed(); {
		for range 30 + w.rand.IntN(60) {
			w.step()
			w.watch()
			time.Sleep(time.Duration(w.rand.IntN(int(4 * time.Millisecond))))
		}
		if w.rand.IntN(2) == 0 {
			w.crash()
		}
		w.heal()
	}
	for _, n := range w.nodes {
		n.stop()
	}
	lost := 0
	for _, e := range w.ended {
		if e.lost {
			lost++
		}
	}
	t.Logf("%d sessions ended, %d of which were lost to all; %v", len(w.ended), lost, w.did)
}
