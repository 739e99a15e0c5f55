package revocation

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"time"

	"github.com/redis/go-redis/v9"
)

// The keys in Redis. The braces keep them in one slot of a cluster.
const (
	logKey   = "clerkgate:{revocations}:log"
	epochKey = "clerkgate:{revocations}:epoch"
)

// Bounds of the log.
const (
	// writeTimeout is how long an entry may take to be stored.
	writeTimeout = 2 * time.Second
	// readPause is how long a read waits for news. Losing the connection is
	// noticed after that, and a little.
	readPause = time.Second
	// readCount is how many entries are read at once.
	readCount = 1000
)

// field is the only one of an entry in the log.
const field = "e"

// log is what instances share: a stream in Redis that each reads from where it
// left off, so that nothing announced while it was away is missed. Entries leave
// it once no token is left that they could be about.
type log struct {
	client   redis.UniversalClient
	lifetime time.Duration
}

// append stores entries for all instances.
func (l *log) append(ctx context.Context, entries []Entry) error {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	for len(entries) > 0 {
		n := min(len(entries), readCount)
		if err := l.write(ctx, entries[:n]); err != nil {
			return fmt.Errorf("storing revocations: %w", err)
		}
		entries = entries[n:]
	}
	return nil
}

func (l *log) write(ctx context.Context, entries []Entry) error {
	past := time.Now().Add(-l.lifetime - margin).UnixMilli() // of the store's ids, which are times
	_, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		for i := range entries {
			text, err := json.Marshal(entries[i])
			if err != nil {
				return err
			}
			p.XAdd(ctx, &redis.XAddArgs{Stream: logKey, MinID: strconv.FormatInt(past, 10), Approx: true, Values: []any{field, text}})
		}
		p.PExpire(ctx, logKey, l.lifetime+margin)
		return nil
	})
	return err
}

// read returns what came after cursor, and the cursor behind that. It may wait a
// while for news.
func (l *log) read(ctx context.Context, cursor string, wait bool) (entries []Entry, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readPause+writeTimeout)
	defer cancel()
	args := &redis.XReadArgs{Streams: []string{logKey, cursor}, Count: readCount, Block: -1} // does not block
	if wait {
		args.Block = readPause
	}
	streams, err := l.client.XRead(ctx, args).Result()
	if errors.Is(err, redis.Nil) {
		return nil, cursor, nil
	}
	if err != nil {
		return nil, cursor, fmt.Errorf("reading revocations: %w", err)
	}
	for _, stream := range streams {
		for _, message := range stream.Messages {
			cursor = message.ID
			var e Entry
			text, _ := message.Values[field].(string)
			if json.Unmarshal([]byte(text), &e) == nil && e.validate() == nil { // else nobody of ours wrote it
				entries = append(entries, e)
			}
		}
	}
	return entries, cursor, nil
}

// epoch names the life of the store's memory: it is another one after the store
// lost what it knew.
func (l *log) epoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	if err := l.client.SetNX(ctx, epochKey, rand.Text(), 0).Err(); err != nil {
		return "", fmt.Errorf("reaching the store: %w", err)
	}
	epoch, err := l.client.Get(ctx, epochKey).Result()
	if err != nil {
		return "", fmt.Errorf("reaching the store: %w", err)
	}
	return epoch, nil
}
