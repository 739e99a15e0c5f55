package ratelimit

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"math"
	"slices"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed take.lua
var takeSource string

// takeHash is by what a server knows the script.
var takeHash = redis.NewScript(takeSource).Hash()

// tags are the hash tags of the keys. They lie evenly over the 16384 slots of a
// cluster, the first near slot 512, the next near 1536, and so on. Their number
// is fixed: a key never moves to another.
var tags = [16]string{"18", "455", "333", "223", "553", "443", "95", "663", "265", "375", "908", "155", "985", "895", "405", "515"}

// storeKey is where an id is counted: a key of fixed length, for the text is the
// client's, with the tag that tells its slot.
func storeKey(prefix string, id id) (key string, bucket int) {
	var room [128]byte
	text := binary.AppendUvarint(room[:0], uint64(len(id.name)))
	text = append(append(text, id.name...), id.key...)
	sum := sha256.Sum256(text)
	bucket = int(sum[31]) % len(tags)
	var hash [22]byte // of 128 bits: nobody finds two texts that meet
	base64.RawURLEncoding.Encode(hash[:], sum[:16])
	return prefix + ":limit:{" + tags[bucket] + "}:" + string(hash[:]), bucket
}

// request is one record of the script, and the answer to it.
type request struct {
	key   string
	quota scriptQuota
	cost  int64
	want  int64
	// at is the instant of the request where the time is not the server's.
	at int64

	granted int64
	// start is when the window began, by the store's clock, and counter what is
	// counted, as of the instant 0.
	start   instant
	counter counter
}

// scriptQuota is a quota as the script knows it.
type scriptQuota struct {
	kind             kind
	capacity, period int64
	nanos            int64
}

// gift is what a kind has more where something is given back.
const gift = 16

// instant is a time of the store's clock.
type instant struct {
	seconds, nanos int64
}

func (i instant) sub(j instant) int64 {
	return (i.seconds-j.seconds)*int64(time.Second) + i.nanos - j.nanos
}

func newRequest(key string, q *quota, cost, want, at int64) request {
	// What costs more than the quota never passes, however much more.
	cost = min(cost, q.capacity+1)
	return request{key: key, quota: scriptQuota{kind: q.kind, capacity: q.capacity, period: q.period}, cost: cost, want: max(cost, want), at: at}
}

// since returns the counter as one whose instant 0 is t.
func (c counter) since(t int64) counter {
	c.at += t
	return c
}

const (
	answerHead  = 16
	grantedSize = 4
	stateSize   = 29
)

// records are the arguments of the script.
type records struct {
	args            []any
	checks, quotas  []byte
	instants        []byte
	seen            []scriptQuota
	judgeAtInstants bool
}

func (r *records) add(q *request) {
	index := slices.Index(r.seen, q.quota)
	if index < 0 {
		index = len(r.seen)
		r.seen = append(r.seen, q.quota)
		r.quotas = append(r.quotas, byte(q.quota.kind))
		r.quotas = appendNumbers(r.quotas, q.quota.capacity, q.quota.period, q.quota.nanos)
	}
	r.args = append(r.args, q.key)
	r.checks = append(r.checks, byte(index+1))
	r.checks = binary.LittleEndian.AppendUint32(r.checks, uint32(q.cost))
	r.checks = binary.LittleEndian.AppendUint32(r.checks, uint32(min(q.want, maxCapacity)))
	if r.judgeAtInstants {
		r.instants = appendNumbers(r.instants, q.at/int64(time.Second), q.at%int64(time.Second))
	}
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(n)))
	}
	return b
}

// readAnswer takes what was granted to r, and the state of its counter. now is the
// store's time.
func (r *request) readAnswer(granted, state []byte, now instant, judgedAtInstants bool) {
	if judgedAtInstants {
		now = instant{r.at / int64(time.Second), r.at % int64(time.Second)}
	}
	short := func(i int) int64 { return int64(binary.LittleEndian.Uint32(state[i:])) }
	long := func(i int) int64 { return int64(math.Float64frombits(binary.LittleEndian.Uint64(state[i:]))) }
	r.granted = int64(binary.LittleEndian.Uint32(granted))
	r.start = instant{long(9), short(17)}
	r.counter = counter{kind: kind(state[0]), period: long(1), at: r.start.sub(now), cur: uint32(short(21)), prev: uint32(short(25))}
	if r.counter.kind != tokenBucket {
		r.counter.at = min(0, r.counter.at) // a clock that was set back stands still
	}
}

// errAnswer says that the store's answer is not that of the script.
var errAnswer = errors.New("the store answers what the script cannot have said")

// run has the script judge the requests of all calls, whose keys share a slot.
func run(ctx context.Context, client redis.UniversalClient, calls []*call, instants bool) error {
	var n int
	for _, c := range calls {
		n += len(c.requests)
	}
	r := records{args: make([]any, 0, n+6), checks: make([]byte, 0, 9*n), judgeAtInstants: instants}
	r.args = append(r.args, "evalsha", takeHash, n)
	for _, c := range calls {
		for i := range c.requests {
			r.add(&c.requests[i])
		}
	}
	r.args = append(r.args, r.checks, r.quotas)
	if instants {
		r.args = append(r.args, r.instants)
	}
	text, err := eval(ctx, client, r.args)
	if err != nil {
		return err
	}
	if len(text) != answerHead+n*(grantedSize+stateSize) {
		return errAnswer
	}
	answers := []byte(text)
	now := instant{
		int64(math.Float64frombits(binary.LittleEndian.Uint64(answers))),
		int64(math.Float64frombits(binary.LittleEndian.Uint64(answers[8:]))),
	}
	granted, states := answers[answerHead:], answers[answerHead+n*grantedSize:]
	for _, c := range calls {
		for i := range c.requests {
			c.requests[i].readAnswer(granted, states, now, instants)
			granted, states = granted[grantedSize:], states[stateSize:]
		}
	}
	return nil
}

// eval runs the script by its hash, and with its text where the server does not
// know it: after a start, a flush or a failover.
func eval(ctx context.Context, client redis.UniversalClient, args []any) (string, error) {
	command := redis.NewCmd(ctx, args...)
	err := client.Process(ctx, command)
	if redis.HasErrorPrefix(err, "NOSCRIPT") {
		args[0], args[1] = "eval", takeSource
		command = redis.NewCmd(ctx, args...)
		err = client.Process(ctx, command)
	}
	if err != nil {
		return "", fmt.Errorf("asking the store: %w", err)
	}
	return command.Text()
}
