package clerktest

import (
	"fmt"
	"io"
	"maps"
	"net/http"
	"strconv"
	"sync"
	"time"
)

// Fault is what is wrong with an endpoint. Its parts add up: a Delay with a
// Status is a slow failure.
type Fault struct {
	// Delay is waited before anything else; the endpoint goes on as usual if
	// nothing more is wrong. It ends early with the instance.
	Delay time.Duration
	// Hang answers nothing until the caller or the instance is gone.
	Hang bool
	// Status is answered in place of the usual: 500, 429.
	Status int
	// RetryAfter is sent with the status, in seconds (RFC 9110 § 10.2.3).
	RetryAfter int
	// Body is sent with the status. Default with a Status: an error in Clerk's
	// form.
	Body string
	// Times is how many requests meet the fault. Default: all until
	// [Instance.Mend].
	Times int
}

// faults are those of the endpoints.
type faults struct {
	mu sync.Mutex
	by map[string]Fault
}

// Break has an endpoint fail, named by its route as for [Instance.Calls].
func (i *Instance) Break(endpoint string, f Fault) {
	i.Calls(endpoint) // there is one
	if f.Body != "" && f.Status == 0 {
		f.Status = http.StatusOK
	}
	i.faults.mu.Lock()
	defer i.faults.mu.Unlock()
	if i.faults.by == nil {
		i.faults.by = map[string]Fault{}
	}
	i.faults.by[endpoint] = f
}

// BreakAll has every endpoint fail: Clerk is down.
func (i *Instance) BreakAll(f Fault) {
	for endpoint := range maps.Keys(i.counts) {
		i.Break(endpoint, f)
	}
}

// Mend ends all faults.
func (i *Instance) Mend() {
	i.faults.mu.Lock()
	defer i.faults.mu.Unlock()
	i.faults.by = nil
}

// take returns the fault that a request meets, if any.
func (f *faults) take(endpoint string) (Fault, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	fault, ok := f.by[endpoint]
	switch fault.Times {
	case 0:
	case 1:
		delete(f.by, endpoint)
	default:
		fault.Times--
		f.by[endpoint] = fault
	}
	return fault, ok
}

// fail answers a request with the endpoint's fault, and reports whether there
// is nothing more to answer.
func (i *Instance) fail(endpoint string, w http.ResponseWriter, r *http.Request) bool {
	fault, ok := i.faults.take(endpoint)
	if !ok {
		return false
	}
	if fault.Hang {
		i.wait(r, nil)
		return true
	}
	if fault.Delay > 0 {
		timer := time.NewTimer(fault.Delay)
		defer timer.Stop()
		i.wait(r, timer.C)
	}
	if fault.Status == 0 {
		return false
	}
	if fault.RetryAfter > 0 {
		w.Header().Set("Retry-After", strconv.Itoa(fault.RetryAfter))
	}
	if fault.Body == "" {
		writeError(w, fault.Status, "fault", fmt.Sprintf("This endpoint was told to answer %d.", fault.Status))
		return true
	}
	w.Header().Set("Content-Type", "application/json")
	w.WriteHeader(fault.Status)
	_, _ = io.WriteString(w, fault.Body) // the caller may be gone
	return true
}

// wait waits for a time, or until the caller or the instance is gone.
func (i *Instance) wait(r *http.Request, until <-chan time.Time) {
	select {
	case <-until:
	case <-r.Context().Done():
	case <-i.closed:
	}
}
