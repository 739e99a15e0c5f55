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
	"net/netip"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"
)

//go:embed take.lua
var takeSource string

// takeHash is the SHA-1 by which a server caches the script (EVALSHA).
var takeHash = redis.NewScript(takeSource).Hash()

// tags are the hash tags of the keys. They are spread evenly over the 16384 slots of a
// cluster, the first near slot 512, the next near 1536, and so on. Their number
// is fixed, so that a key never moves to another.
var tags = [16]string{"18", "455", "333", "223", "553", "443", "95", "663", "265", "375", "908", "155", "985", "895", "405", "515"}

// storeKey returns the key of an id in Redis, and its bucket, which is the index of its
// hash tag. The key is a hash of every part of the id: the client can choose the text,
// so its length must be fixed.
func storeKey(prefix string, id *id) (key string, bucket int) {
	bucket, _, hash := hashOf(id)
	return prefix + ":limit:{" + tags[bucket] + "}:" + string(hash[:]), bucket
}

// hashOf hashes an id with SHA-256: to its bucket, to the overflow counter that it
// shares where there are too many keys, and to 128 bits, which do not collide.
func hashOf(id *id) (bucket, slot int, hash [22]byte) {
	var room [192]byte
	text := binary.LittleEndian.AppendUint64(room[:0], id.namespace)
	text = append(text, byte(id.quota.kind))
	text = binary.LittleEndian.AppendUint64(text, uint64(id.quota.capacity))
	text = binary.LittleEndian.AppendUint64(text, uint64(id.quota.period))
	text = binary.AppendUvarint(text, uint64(len(id.name)))
	text = append(append(text, id.name...), id.key...)
	sum := sha256.Sum256(text)
	bucket = int(sum[31]) % len(tags)
	base64.RawURLEncoding.Encode(hash[:], sum[:16])
	return bucket, int(sum[30]) % overflowCounters, hash
}

// census are the Redis keys that bound how many keys anonymous clients can add to the
// store: the number of keys of a network, that of a limit, and the counter that further
// keys share once one of the two is full. The zero census is that of keys that only
// signed-in clients can choose.
type census [3]string

// overflowCounters is how many counters the keys share for which a census is full, in
// each bucket of a limit.
const overflowCounters = 64

// The prefix lengths, in bits, of the networks of a census: wider than those of limits,
// since one client can have all of such a network.
const (
	censusBits4 = 24
	censusBits6 = 48
)

// censusOf returns the census of an id. It has the hash tag of key, the id's own.
func censusOf(key string, id *id, network netip.Prefix) census {
	if !network.IsValid() {
		return census{}
	}
	_, slot, _ := hashOf(id)
	limit := *id
	limit.key = ""
	_, _, hash := hashOf(&limit)
	base := key[:strings.IndexByte(key, '}')+2] + string(hash[:])
	bits := censusBits6
	if network.Addr().Is4() {
		bits = censusBits4
	}
	if bits < network.Bits() {
		network, _ = network.Addr().Prefix(bits)
	}
	return census{base + ":n:" + network.String(), base + ":n", base + ":o:" + strconv.Itoa(slot)}
}

// request is one request to the script, and its answer.
type request struct {
	key    string
	census census
	id     id
	quota  scriptQuota
	leased bool
	// fromCheck: the request is that of a check, not of Show, a probe or a refund.
	fromCheck bool
	// mirror: the answer is copied to the fallback, which continues from it while the
	// store does not answer.
	mirror bool
	cost   int64
	want   int64
	// at is the time of the request where callerTime is set, in nanoseconds.
	at int64

	granted int64
	// start is when the window began, by the store's clock, and counter what is
	// counted, with the time of the answer as 0.
	start   storeTime
	counter counter
}

// scriptQuota is a quota as the script knows it.
type scriptQuota struct {
	kind             kind
	capacity, period int64
	nanos            int64
}

// refundFlag is added to the kind of a request that returns a part of a slice. take.lua
// has the same number.
const refundFlag = 16

// storeTime is a time of the store's clock.
type storeTime struct {
	seconds, nanos int64
}

func (i storeTime) sub(j storeTime) int64 {
	return (i.seconds-j.seconds)*int64(time.Second) + i.nanos - j.nanos
}

func newRequest(key string, id *id, cost, want, at int64) request {
	q := &id.quota
	// What costs more than the quota is never allowed, however much more.
	cost = min(cost, q.capacity+1)
	return request{key: key, id: *id, quota: scriptQuota{kind: q.kind, capacity: q.capacity, period: q.period}, cost: cost, want: max(cost, want), at: at}
}

// since returns the counter as one whose time 0 is t.
func (c counter) since(t int64) counter {
	c.at += t
	return c
}

const (
	answerHead  = 16
	grantedSize = 4
	stateSize   = 29
)

// scriptArgs are the arguments of the script, in the encoding of take.lua.
type scriptArgs struct {
	args           []any
	census         []any
	checks, quotas []byte
	times          []byte
	seen           []scriptQuota
	callerTime     bool
	// count is how many checks there are.
	count int
}

func (r *scriptArgs) add(q *request) {
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
	place := 0
	if q.census != (census{}) {
		place = r.count + len(r.census) + 1
		r.census = append(r.census, q.census[0], q.census[1], q.census[2])
	}
	r.checks = binary.LittleEndian.AppendUint32(r.checks, uint32(place))
	if r.callerTime {
		r.times = appendNumbers(r.times, q.at/int64(time.Second), q.at%int64(time.Second))
	}
}

func appendNumbers(b []byte, numbers ...int64) []byte {
	for _, n := range numbers {
		b = binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(n)))
	}
	return b
}

// readAnswer decodes what was granted to r, and the state of its counter. now is the
// store's time.
func (r *request) readAnswer(granted, state []byte, now storeTime, judgedAtInstants bool) error {
	if judgedAtInstants {
		now = storeTime{r.at / int64(time.Second), r.at % int64(time.Second)}
	}
	short := func(i int) int64 { return int64(binary.LittleEndian.Uint32(state[i:])) }
	long := func(i int) int64 { return int64(math.Float64frombits(binary.LittleEndian.Uint64(state[i:]))) }
	if r.quota.kind < refundFlag && (kind(state[0]) != r.quota.kind || long(1) != r.quota.period) {
		return errAnswer
	}
	r.granted = int64(binary.LittleEndian.Uint32(granted))
	r.start = storeTime{long(9), short(17)}
	r.counter = counter{at: r.start.sub(now), cur: uint32(short(21)), prev: uint32(short(25))}
	if r.id.quota.kind != tokenBucket {
		r.counter.at = min(0, r.counter.at) // a clock that was set back stands still
	} else {
		r.counter.at = min(r.quota.capacity*r.quota.period, r.counter.at)
	}
	return nil
}

// errAnswer is the error for an answer that the script cannot have returned.
var errAnswer = errors.New("the store returned an answer that the script does not give")

// run runs the requests of all calls, whose keys share a slot, in one call of the
// script, and stores the answers in them.
func run(ctx context.Context, client redis.UniversalClient, calls []*call, admits [2]int, instants bool) error {
	var n int
	for _, c := range calls {
		n += len(c.requests)
	}
	r := scriptArgs{args: make([]any, 0, n+7), checks: make([]byte, 0, 13*n), callerTime: instants, count: n}
	r.args = append(r.args, "evalsha", takeHash, n)
	for _, c := range calls {
		for i := range c.requests {
			r.add(&c.requests[i])
		}
	}
	r.args = append(r.args, r.census...)
	r.args[2] = n + len(r.census)
	r.args = append(r.args, r.checks, r.quotas, appendNumbers(nil, int64(admits[0]), int64(admits[1])))
	if instants {
		r.args = append(r.args, r.times)
	}
	text, err := eval(ctx, client, r.args)
	if err != nil {
		return err
	}
	if len(text) != answerHead+n*(grantedSize+stateSize) {
		return errAnswer
	}
	answers := []byte(text)
	now := storeTime{
		int64(math.Float64frombits(binary.LittleEndian.Uint64(answers))),
		int64(math.Float64frombits(binary.LittleEndian.Uint64(answers[8:]))),
	}
	granted, states := answers[answerHead:], answers[answerHead+n*grantedSize:]
	for _, c := range calls {
		for i := range c.requests {
			if err := c.requests[i].readAnswer(granted, states, now, instants); err != nil {
				return err
			}
			granted, states = granted[grantedSize:], states[stateSize:]
		}
	}
	return nil
}

// eval runs the script by its hash, and by its source where the server does not have
// it: after a start, a flush or a failover.
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
