package revocation

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/testredis"
	"github.com/clerkgate/clerkgate/policy"
)

// Whatever somebody else writes there, tokens that hold go on, what has ended is
// refused, what ends now is stored, and whoever starts knows all of it.
func TestWhatOthersDoToTheStore(t *testing.T) {
	t.Parallel()
	k := newKeys("clerkgate", "")
	every := func(command string, args ...any) [][]any {
		var list [][]any
		for _, key := range k.all() {
			// At once: the node would write it anew between the two.
			list = append(list, append([]any{"EVAL", "redis.call('DEL', KEYS[1]); return redis.call(ARGV[1], KEYS[1], unpack(ARGV, 2))", 1, key, command}, args...))
		}
		return list
	}
	later := time.Now().Add(48 * time.Hour).UnixMilli()
	for name, commands := range map[string][][]any{
		"texts":   every("SET", "x"),
		"lists":   every("RPUSH", "x"),
		"hashes":  every("HSET", "x", "y"),
		"numbers": every("SET", "1e300"),
		"no end":  {{"PERSIST", k.log}, {"PERSIST", k.keep}, {"SET", k.settling, 1}},
		"garbage": {
			{"XADD", k.log, "*", "e", "{"}, {"XADD", k.log, "*", "z", "z"},
			{"XADD", k.log, "*", "e", `{"k":"session","i":"../../x","e":"gone","t":1}`},
			{"XADD", k.log, "*", "e", `{"k":"everybody","e":"gone","t":1}`},
			{"XADD", k.log, "*", "e", `{"k":"user","i":"user_1","e":"stale","t":1e300}`},
			{"XADD", k.log, "*", "e", strings.Repeat("A", 10<<20), "a", strings.Repeat("9", 1<<20)},
			{"XADD", k.log, "*", "e", `{"k":"session","i":"sess_x","e":"gone","t":1}`, "a", "-99999999999999999999"},
			{"XADD", k.log, "*", "e", `{"k":"session","i":"sess_y","e":"gone","t":1}`, "a", "x"},
		},
		"the year 2286": {
			{"XADD", k.log, "*", "e", `{"k":"everybody","e":"stale","t":9999999999999}`},
			{"XADD", k.log, "*", "e", `{"k":"everything","e":"stale","t":9999999999999}`},
			{"XADD", k.log, "*", "e", `{"k":"user","i":"user_1","e":"gone_before","t":9223372036854775807}`},
		},
		"the day after tomorrow": {{"XADD", k.log, "*", "e", fmt.Sprintf(`{"k":"everybody","e":"stale","t":%d}`, later)}},
		"the last id used up":    {{"XADD", k.log, "18446744073709551615-18446744073709551615", "e", `{"k":"session","i":"s","e":"gone","t":1}`}},
		"an id of the year 2286": {{"XADD", k.log, "9999999999999-0", "e", `{"k":"session","i":"s","e":"gone","t":1}`}},
		"everything removed":     {{"FLUSHALL"}},
		"the log removed":        {{"DEL", k.log}},
		"the home removed":       {{"DEL", k.home}},
		"scripts removed":        {{"SCRIPT", "FLUSH"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := testredis.Start(t)
			a := node(t, at(server.Addr), Options{times: quick})
			eventually(t, "readiness", a.Ready)
			revoke(t, a, "sess_1")
			eventually(t, "reading it", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
			for _, command := range commands {
				server.Do(t, command...)
			}
			for i := range 20 {
				who := &policy.Principal{TokenType: policy.SessionToken, SessionID: "sess_2", UserID: "user_1", IssuedAt: time.Now()}
				if got := a.Revoked(who, time.Now()); got != "" || !a.Ready() {
					t.Fatalf("%q, ready %t, for who goes on", got, a.Ready())
				}
				if !refuses(a, "sess_1") {
					t.Fatal("passes who has ended")
				}
				if i == 5 {
					revoke(t, a, "sess_3")
				}
				time.Sleep(quick.read / 4)
			}
			late := lateNode(t, at(server.Addr), Options{times: quick})
			if !refuses(late, "sess_1") || !refuses(late, "sess_3") || refuses(late, "sess_2") {
				t.Error("a node that came late does not know what it should")
			}
		})
	}
}

// A store that is full can still be read, and is told when it has room.
func TestAFullStoreIsToldLater(t *testing.T) {
	t.Parallel()
	server := testredis.Start(t)
	patient := quick
	patient.grace = Grace // the machine may be slow
	a := node(t, at(server.Addr), Options{times: patient, Deny: true})
	eventually(t, "readiness", a.Ready)
	server.Do(t, "CONFIG", "SET", "maxmemory-policy", "noeviction")
	server.Do(t, "CONFIG", "SET", "maxmemory", "1")
	if err := a.RevokeSession(t.Context(), "sess_1"); err == nil {
		t.Error("stored where there is no room")
	}
	time.Sleep(3 * quick.read)
	if !refuses(a, "sess_1") {
		t.Error("not even this process refuses it")
	}
	server.Do(t, "CONFIG", "SET", "maxmemory", "0")
	eventually(t, "telling", func() bool { return len(a.notStored(a.steadyNow())) == 0 })
	late := lateNode(t, at(server.Addr), Options{times: quick})
	if !refuses(late, "sess_1") {
		t.Error("it was not told")
	}
}
