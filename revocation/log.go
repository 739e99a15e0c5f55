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
	// youngKey is there while the store may not know again all that it did.
	youngKey = "clerkgate:{revocations}:young"
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
	// settle is how long a store without memory counts as young: those who know
	// more notice within that time, and begin to tell it.
	settle = 3 * time.Second
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

// append stores entries for all instances. With young, they are what the store
// lost, and whoever starts meanwhile is to wait for more. They are written at once:
// no more than [readCount].
func (l *log) append(ctx context.Context, entries []Entry, young bool) error {
	if len(entries) == 0 {
		return nil
	}
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	past := time.Now().Add(-l.lifetime - margin).UnixMilli() // of the store's ids, which are times
	_, err := l.client.Pipelined(ctx, func(p redis.Pipeliner) error {
		if young {
			p.Set(ctx, youngKey, 1, settle)
		}
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
	if err != nil {
		return fmt.Errorf("storing revocations: %w", err)
	}
	return nil
}

// read returns what came after cursor, and the cursor behind that. It waits that
// long for news.
func (l *log) read(ctx context.Context, cursor string, pause time.Duration) (entries []Entry, next string, err error) {
	ctx, cancel := context.WithTimeout(ctx, readPause+writeTimeout)
	defer cancel()
	args := &redis.XReadArgs{Streams: []string{logKey, cursor}, Count: readCount, Block: pause}
	if pause == 0 {
		args.Block = -1 // does not block
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
// lost what it knew. Where there is none, one begins.
func (l *log) epoch(ctx context.Context) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	epoch, err := l.client.Get(ctx, epochKey).Result()
	if errors.Is(err, redis.Nil) {
		// In this order, so that nobody finds an epoch that seems an old one.
		if err = l.client.Set(ctx, youngKey, 1, settle).Err(); err == nil {
			err = l.client.SetNX(ctx, epochKey, rand.Text(), 0).Err()
		}
		if err == nil {
			epoch, err = l.client.Get(ctx, epochKey).Result()
		}
	}
	if err != nil {
		return "", fmt.Errorf("reaching the store: %w", err)
	}
	return epoch, nil
}

// settled reports whether nobody is telling the store what it lost.
func (l *log) settled(ctx context.Context) (bool, error) {
	ctx, cancel := context.WithTimeout(ctx, writeTimeout)
	defer cancel()
	err := l.client.Get(ctx, youngKey).Err()
	if errors.Is(err, redis.Nil) {
		return true, nil
	}
	if err != nil {
		return false, fmt.Errorf("reaching the store: %w", err)
	}
	return false, nil
}
