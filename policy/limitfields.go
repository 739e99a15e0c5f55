package policy

import (
	"strconv"
	"strings"
	"time"
)

// limitFields writes the RateLimit and RateLimit-Policy fields
// (draft-ietf-httpapi-ratelimit-headers-10), and Retry-After for the limit that
// exceeded. Where none was, only limits that are advertised come in.
func limitFields(results []LimitResult, refused bool) []Header {
	var state, policies strings.Builder
	var retry time.Duration
	for _, r := range results {
		if r.Shadow || !refused && !r.advertised {
			continue
		}
		if state.Len() > 0 {
			state.WriteString(", ")
			policies.WriteString(", ")
		}
		name := strconv.Quote(r.Name)
		until := r.Reset
		if !r.Allowed {
			until = r.RetryAfter
			retry = max(retry, r.RetryAfter)
		}
		state.WriteString(name + ";r=" + strconv.Itoa(max(0, r.Remaining)) + ";t=" + strconv.FormatInt(seconds(until), 10))
		policies.WriteString(name + ";q=" + strconv.Itoa(r.Limit) + ";w=" + strconv.FormatInt(seconds(r.Window), 10))
	}
	if state.Len() == 0 {
		return nil
	}
	fields := []Header{{"RateLimit", state.String()}, {"RateLimit-Policy", policies.String()}}
	if retry > 0 {
		fields = append(fields, Header{"Retry-After", strconv.FormatInt(seconds(retry), 10)})
	}
	return fields
}

// seconds rounds up: a client that waits that long is not early.
func seconds(d time.Duration) int64 {
	return int64((max(0, d) + time.Second - 1) / time.Second)
}
