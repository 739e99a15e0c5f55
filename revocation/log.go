package revocation

import (
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

// keys are the keys of one instance in Redis. The braces keep them in one slot of a
// cluster.
type keys struct {
	log string
	// home identifies the server process that holds the log in memory, and since when the
	// log is complete.
	home string
	// keep is the longest retention that any node needs.
	keep string
	// settling exists while nodes may still be writing back what the store lost.
	settling string
}

func newKeys(prefix, instance string) keys {
	base := prefix + ":{revocations:" + instance + "}:"
	return keys{log: base + "log", home: base + "home", keep: base + "keep", settling: base + "young"}
}

func (k *keys) all() []string { return []string{k.log, k.home, k.keep, k.settling} }

//go:embed common.lua
var commonSource string

//go:embed read.lua
var readSource string

//go:embed append.lua
var appendSource string

var (
	readScript   = redis.NewScript(commonSource + readSource)
	appendScript = redis.NewScript(commonSource + appendSource)
)

// Bounds of the log.
const (
	// writeTimeout is the timeout of a call to the store.
	writeTimeout = 2 * time.Second
	// readCount is how many entries are read or written in one call.
	readCount = 1000
	// maxText bounds an entry, in bytes of JSON.
	maxText = 1024
	// maxKeep bounds the retention: the longest lifetime that a configuration can have,
	// and the margin.
	maxKeep = 366*24*time.Hour + margin
)

// log is the revocations that the nodes of an instance share: a Redis stream that each
// node reads from its last position, so that it misses no entry while it is
// disconnected. Entries expire, by the store's clock, once no token is left that they
// could revoke.
type log struct {
	client redis.UniversalClient
	keys   keys
	// keep is how long this process needs entries.
	keep  time.Duration
	times times
}

// agedEntry is an entry, and how long ago the first of all nodes learned of it.
type agedEntry struct {
	Entry
	age time.Duration
}

// append stores entries, at most [readCount], for all nodes, in one call. With settling,
// they are written back after the store lost them, and starting nodes wait for more.
func (l *log) append(ctx context.Context, entries []agedEntry, young bool) error {
	if len(entries) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	args := append(make([]any, 0, 4+2*len(entries)), l.keep.Milliseconds(), maxKeep.Milliseconds(), l.times.margin.Milliseconds(), 0)
	if young {
		args[3] = l.times.settle.Milliseconds()
	}
	for i := range entries {
		text, err := json.Marshal(entries[i].Entry)
		if err != nil {
			return fmt.Errorf("storing revocations: %w", err)
		}
		args = append(args, text, max(0, entries[i].age.Milliseconds()))
	}
	if err := appendScript.Run(ctx, l.client, l.keys.all(), args...).Err(); err != nil {
		return fmt.Errorf("storing revocations: %w", err)
	}
	return nil
}

// page is the result of a read.
type page struct {
	entries []agedEntry
	// ignored counts invalid entries.
	ignored uint64
	// cursor is the ID of the last entry, and end says that there are no more.
	cursor string
	end    bool
	// intact: the store still has the entry that was read last, and those before it.
	intact bool
	// settling: nodes may still be writing back what the store lost.
	settling bool
	// since is the time from which on the store has all entries, by its own clock in Unix
	// milliseconds, or -1.
	since int64
	// now is the store's time in Unix milliseconds, and keep its retention.
	now  int64
	keep time.Duration
}

// read returns the entries after cursor, without waiting. since is the time from which on
// this node knows all entries, or -1.
func (l *log) read(ctx context.Context, cursor string, since int64) (*page, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	answer, err := readScript.Run(ctx, l.client, l.keys.all(), cursor, readCount, l.keep.Milliseconds(), maxKeep.Milliseconds(), l.times.settle.Milliseconds(), since, l.times.margin.Milliseconds(), maxText).Slice()
	if err != nil {
		return nil, fmt.Errorf("reading revocations: %w", err)
	}
	const head, each = 5, 3
	var numbers [head]int64
	for i := range numbers {
		if len(answer) < head {
			return nil, errors.New("reading revocations: the store does not answer as it should")
		}
		numbers[i], _ = answer[i].(int64)
	}
	p := &page{cursor: cursor, now: numbers[0], keep: time.Duration(numbers[1]) * time.Millisecond, intact: numbers[2] == 1, settling: numbers[3] == 1, since: -1}
	if text, ok := answer[4].(string); ok {
		if since, err := strconv.ParseInt(text, 10, 64); err == nil && since >= 0 {
			p.since = min(since, p.now)
		}
	}
	list := answer[head:]
	for ; len(list) >= each; list = list[each:] {
		id, _ := list[0].(string)
		text, _ := list[1].(string)
		age, _ := list[2].(string)
		p.cursor = id
		p.take(id, text, age)
	}
	p.end = len(answer) < head+each*readCount
	return p, nil
}

// take reads one entry. Its age is the age that it had when it was written, plus the time
// since, by the store's clock.
func (p *page) take(id, text, age string) {
	e := agedEntry{}
	if json.Unmarshal([]byte(text), &e.Entry) != nil || e.validate() != nil {
		p.ignored++
		return
	}
	before, _ := strconv.ParseInt(age, 10, 64)
	e.age = time.Duration(max(0, min(before, maxKeep.Milliseconds()))+max(0, min(p.now-instantOf(id), maxKeep.Milliseconds()))) * time.Millisecond
	p.entries = append(p.entries, e)
}

// instantOf returns the time of a stream ID, in Unix milliseconds of the store.
func instantOf(id string) int64 {
	text, _, _ := strings.Cut(id, "-")
	at, _ := strconv.ParseUint(text, 10, 63)
	return int64(at)
}

// await waits for an entry after cursor, for pause at most.
func (l *log) await(ctx context.Context, cursor string, pause time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, pause+writeTimeout)
	defer cancel()
	err := l.client.XRead(ctx, &redis.XReadArgs{Streams: []string{l.keys.log, cursor}, Count: 1, Block: pause}).Err()
	if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return fmt.Errorf("reading revocations: %w", err)
	}
	return nil
}
