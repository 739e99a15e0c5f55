package calls

import (
	"net/netip"
	"sync"
	"time"

	"github.com/maypok86/otter/v2"

	"github.com/clerkgate/clerkgate/policy"
)

const (
	// BurstOfOne calls of a kind that came to nothing are what one client may
	// have caused at once, and one more every PauseOfOne.
	BurstOfOne = 32
	PauseOfOne = 2 * time.Second
	// BurstOfAll and pauseOfAll are the same for all clients together.
	BurstOfAll = 128
	pauseOfAll = 100 * time.Millisecond
	// maxClients bounds of how many clients it is known what they caused. Who is
	// forgotten still counts with all.
	maxClients = 8192
)

// budget bounds the calls that strangers cause. One that Clerk answers well is
// given back, so that only those count that came to nothing. A nil budget has no
// bound.
type budget struct {
	all allowance
	of  *otter.Cache[netip.Prefix, *allowance]
}

func newBudget() *budget {
	return &budget{
		all: allowance{burst: BurstOfAll, pause: pauseOfAll},
		of:  otter.Must(&otter.Options[netip.Prefix, *allowance]{MaximumSize: maxClients}),
	}
}

// take reports whether a client may cause one more call.
func (b *budget) take(from netip.Addr, now time.Time) bool {
	if b == nil {
		return true
	}
	one, _ := b.of.SetIfAbsent(network(from), &allowance{burst: BurstOfOne, pause: PauseOfOne})
	if !one.take(now) {
		return false
	}
	if !b.all.take(now) {
		one.giveBack()
		return false
	}
	return true
}

// giveBack takes back what the last take counted.
func (b *budget) giveBack(from netip.Addr) {
	if b == nil {
		return
	}
	if one, ok := b.of.GetIfPresent(network(from)); ok {
		one.giveBack()
	}
	b.all.giveBack()
}

// network is what counts as one client. All whose address is not known are one.
func network(from netip.Addr) netip.Prefix {
	return policy.ClientAddr{Addr: from.Unmap().WithZone("")}.Network()
}

// allowance is a number of calls at once and then one after each pause (the
// generic cell rate algorithm).
type allowance struct {
	burst int
	pause time.Duration

	mu sync.Mutex
	// rested is when all of the burst may be taken again.
	rested time.Time
}

func (a *allowance) take(now time.Time) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.rested.Before(now) {
		a.rested = now
	}
	next := a.rested.Add(a.pause)
	if next.Sub(now) > time.Duration(a.burst)*a.pause {
		return false
	}
	a.rested = next
	return true
}

func (a *allowance) giveBack() {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.rested = a.rested.Add(-a.pause)
}
