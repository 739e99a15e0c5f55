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

// keys are those of one instance in Redis. The braces keep them in one slot of a
// cluster.
type keys struct {
	log string
	// home names the process that has the log in its memory, and says whether that
	// is all there is to know.
	home string
	// keep is for how long whoever needs entries longest needs them.
	keep string
	// young is there while the store may not know again all that it did.
	young string
}

func newKeys(prefix, instance string) keys {
	base := prefix + ":{revocations:" + instance + "}:"
	return keys{log: base + "log", home: base + "home", keep: base + "keep", young: base + "young"}
}

func (k *keys) all() []string { return []string{k.log, k.home, k.keep, k.young} }

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
	// writeTimeout is how long an entry may take to be stored.
	writeTimeout = 2 * time.Second
	// readCount is how many entries are read at once.
	readCount = 1000
	// maxText bounds an entry, in bytes of JSON.
	maxText = 1024
	// maxKeep bounds what anybody may ask to be kept: the longest lifetime that a
	// configuration can name.
	maxKeep = 366*24*time.Hour + margin
)

// log is what the nodes of an instance share: a stream in Redis that each reads
// from where it left off, so that nothing announced while it was away is missed.
// Entries leave it, by the store's own time, once no token is left that they could
// be about.
type log struct {
	client redis.UniversalClient
	keys   keys
	// keep is for how long this process needs entries.
	keep  time.Duration
	times times
}

// aged is an entry, and how long ago the first of all nodes learned of it.
type aged struct {
	Entry
	age time.Duration
}

// append stores entries for all nodes. With young, they are what the store lost,
// and whoever starts meanwhile is to wait for more. They are written at once: no
// more than [readCount].
func (l *log) append(ctx context.Context, entries []aged, young bool) error {
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

// page is what a read found.
type page struct {
	entries []aged
	// ignored are those that none of ours can have written.
	ignored uint64
	// cursor is behind them, and end says that they are the last.
	cursor string
	end    bool
	// known: what was read last is still there, and everything before it that was.
	known bool
	// young: somebody may still be telling the store what it lost.
	young bool
	// since is from when on it knows all there is to know, by its own time in Unix
	// milliseconds, or -1.
	since int64
	// now is the store's time in Unix milliseconds, and keep is for how long entries
	// are kept.
	now  int64
	keep time.Duration
}

// read returns what came after cursor, without waiting. since is from when on this
// node knows all that there is to know, or -1.
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
	p := &page{cursor: cursor, now: numbers[0], keep: time.Duration(numbers[1]) * time.Millisecond, known: numbers[2] == 1, young: numbers[3] == 1, since: -1}
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

// take reads one entry. Its age is that which it had when it was written, and what
// has passed since by the store's time.
func (p *page) take(id, text, age string) {
	e := aged{}
	if json.Unmarshal([]byte(text), &e.Entry) != nil || e.validate() != nil {
		p.ignored++
		return
	}
	before, _ := strconv.ParseInt(age, 10, 64)
	e.age = time.Duration(max(0, min(before, maxKeep.Milliseconds()))+max(0, min(p.now-instantOf(id), maxKeep.Milliseconds()))) * time.Millisecond
	p.entries = append(p.entries, e)
}

// instantOf is when an id was given, in Unix milliseconds of the store.
func instantOf(id string) int64 {
	text, _, _ := strings.Cut(id, "-")
	at, _ := strconv.ParseUint(text, 10, 63)
	return int64(at)
}

// await waits for something to come after cursor, that long at most.
func (l *log) await(ctx context.Context, cursor string, pause time.Duration) error {
	ctx, cancel := context.WithTimeout(ctx, pause+writeTimeout)
	defer cancel()
	err := l.client.XRead(ctx, &redis.XReadArgs{Streams: []string{l.keys.log, cursor}, Count: 1, Block: pause}).Err()
	if err != nil && !errors.Is(err, redis.Nil) && !redis.HasErrorPrefix(err, "WRONGTYPE") {
		return fmt.Errorf("reading revocations: %w", err)
	}
	return nil
}
