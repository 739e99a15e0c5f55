package main

import (
	"encoding/json"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/service"
)

// standing is how a key stands with a limit: what a request of that cost would
// be told.
type standing struct {
	Limit     string           `json:"limit"`
	Algorithm policy.Algorithm `json:"algorithm"`
	Quota     int              `json:"quota"`
	Window    seconds          `json:"window_seconds"`
	Burst     int              `json:"burst,omitempty"`
	Cost      int              `json:"cost"`

	Allowed    bool    `json:"allowed"`
	Remaining  int     `json:"remaining"`
	Reset      seconds `json:"reset_seconds"`
	RetryAfter seconds `json:"retry_after_seconds"`
}

func newStanding(of *service.Standing) standing {
	c, r := &of.LimitCheck, &of.Result
	s := standing{
		Limit: c.Name, Algorithm: c.Quota.Algorithm, Quota: c.Quota.Limit, Window: seconds(c.Quota.Window), Cost: c.Cost,
		Allowed: r.Allowed, Remaining: r.Remaining, Reset: seconds(r.Reset), RetryAfter: seconds(r.RetryAfter),
	}
	if c.Quota.Algorithm == policy.TokenBucket {
		s.Burst = c.Quota.Burst
	}
	return s
}

// seconds is a time that programs read in seconds, and people with its unit.
type seconds time.Duration

// MarshalJSON writes a number of seconds.
func (s seconds) MarshalJSON() ([]byte, error) { return json.Marshal(time.Duration(s).Seconds()) }

// String returns the time in milliseconds at the finest, rounded up: who waits
// that long is not early.
func (s seconds) String() string {
	return ((time.Duration(s) + time.Millisecond - 1).Truncate(time.Millisecond)).String()
}

// quota is the quota in words.
func (s *standing) quota() string {
	if s.Burst > 0 {
		return fmt.Sprintf("%d in %s, burst %d", s.Quota, s.Window, s.Burst)
	}
	return fmt.Sprintf("%d in %s", s.Quota, s.Window)
}

// writeStandings writes an aligned table.
func writeStandings(w io.Writer, list []standing) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(table, "LIMIT\tQUOTA\tCOST\tPASSES\tREMAINING\tRESETS IN\tRETRY AFTER")
	for _, s := range list {
		passes, retry := "yes", "-"
		if !s.Allowed {
			passes, retry = "no", s.RetryAfter.String()
		}
		fmt.Fprintf(table, "%s\t%s\t%d\t%s\t%d\t%s\t%s\n", s.Limit, s.quota(), s.Cost, passes, s.Remaining, s.Reset, retry)
	}
	return table.Flush()
}

func writeJSON(w io.Writer, value any) error {
	encoder := json.NewEncoder(w)
	encoder.SetIndent("", "  ")
	return encoder.Encode(value)
}
