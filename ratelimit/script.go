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
	h := sha256.New()
	var room [128]byte
	text := binary.AppendUvarint(room[:0], uint64(len(id.name)))
	text = append(append(text, id.name...), id.key...)
	h.Write(text)
	var sum [sha256.Size]byte
	h.Sum(sum[:0])
	bucket = int(sum[31]) % len(tags)
	out := make([]byte, 0, len(prefix)+40)
	out = append(append(append(append(out, prefix...), ":limit:{"...), tags[bucket]...), "}:"...)
	// 128 bits: nobody finds two texts that meet.
	return string(base64.RawURLEncoding.AppendEncode(out, sum[:16])), bucket
}

// request is one record of the script, and the answer to it.
type request struct {
	key  string
	kind kind
	// capacity and period are those of the quota; see take.lua.
	capacity, period int64
	cost, want       int64
	// at is the instant of the request where the time is not the server's.
	at int64

	granted int64
	// window holds what is in use of a window; lacking that of a bucket, as time.
	window  window
	lacking int64
	start   windowStart
}

// windowStart is when a window began, by the store's clock.
type windowStart struct {
	seconds, nanos int64
}

func newRequest(key string, q *quota, cost, want, at int64) request {
	// What costs more than the quota never passes, however much more.
	cost = min(cost, q.capacity+1)
	return request{key: key, kind: q.kind, capacity: q.capacity, period: q.period, cost: cost, want: max(cost, want), at: at}
}

// counter is what the store counts, at t of another clock.
func (r *request) counter(q *quota, t int64) counter {
	if q.kind == tokenBucket {
		return counter{kind: q.kind, period: q.period, at: t + r.lacking}
	}
	return counter{kind: q.kind, period: q.period, at: t - r.window.into, cur: uint32(r.window.cur), prev: uint32(r.window.prev)}
}

// answer says what a request of that cost is told.
func (r *request) answer(q *quota, cost int64, allowed bool) answer {
	if q.kind == tokenBucket {
		return bucketAnswer(*q, r.lacking, cost, allowed)
	}
	return r.window.answer(*q, r.window.left(*q), cost, allowed)
}

const (
	recordSize  = 33
	answerSize  = 32
	instantSize = 16
)

func (r *request) appendRecord(b []byte) []byte {
	b = append(b, byte(r.kind))
	for _, n := range [...]int64{r.capacity, r.period, r.cost, r.want} {
		b = appendNumber(b, n)
	}
	return b
}

func (r *request) appendInstant(b []byte) []byte {
	const second = 1e9
	return appendNumber(appendNumber(b, r.at/second), r.at%second)
}

func appendNumber(b []byte, n int64) []byte {
	return binary.LittleEndian.AppendUint64(b, math.Float64bits(float64(n)))
}

// readAnswer takes the record of r from the front of b, which has one.
func (r *request) readAnswer(b string) {
	record := []byte(b[:answerSize])
	short := func(i int) int64 { return int64(binary.LittleEndian.Uint32(record[i:])) }
	long := func(i int) int64 { return int64(math.Float64frombits(binary.LittleEndian.Uint64(record[i:]))) }
	r.granted = short(0)
	r.window = window{cur: short(4), prev: short(8), into: long(12)}
	r.lacking = r.window.into
	r.start = windowStart{seconds: long(20), nanos: short(28)}
}

// errAnswer says that the store's answer is not that of the script.
var errAnswer = errors.New("the store answers what the script cannot have said")

// run has the script judge the requests of all calls, whose keys share a slot.
func run(ctx context.Context, client redis.UniversalClient, calls []*call, instants bool) error {
	var n int
	for _, c := range calls {
		n += len(c.requests)
	}
	args := make([]any, 0, n+5)
	args = append(args, "evalsha", takeHash, n)
	records := make([]byte, 0, n*recordSize)
	var at []byte
	for _, c := range calls {
		for i := range c.requests {
			r := &c.requests[i]
			args = append(args, r.key)
			records = r.appendRecord(records)
			if instants {
				at = r.appendInstant(at)
			}
		}
	}
	args = append(args, records)
	if instants {
		args = append(args, at)
	}
	answers, err := eval(ctx, client, args)
	if err != nil {
		return err
	}
	if len(answers) != n*answerSize {
		return errAnswer
	}
	for _, c := range calls {
		for i := range c.requests {
			c.requests[i].readAnswer(answers)
			answers = answers[answerSize:]
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
