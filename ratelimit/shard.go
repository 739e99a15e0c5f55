package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/clerkgate/clerkgate/policy"
)

// id identifies a counter: whose requests it counts, and against which quota. Its parts
// are compared one by one, so that no chosen key can collide with that of another limit.
// The quota is one of them: what was used of it stays used while the same key is counted
// against another.
type id struct {
	// namespace is the hash of the instance XOR that of the limit's definition.
	namespace uint64
	name, key string
	quota     quota
}

// newID returns the id of a check in the namespace of an instance.
func newID(namespace uint64, c *policy.LimitCheck, q *quota) id {
	return id{namespace: namespace ^ c.Definition, name: c.Name, key: c.Key, quota: *q}
}

// namespaceOf returns the namespace of an instance, 64 bits of a hash: instances are
// few, and clients cannot choose them.
func namespaceOf(instance string) uint64 {
	if instance == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(instance))
	return binary.LittleEndian.Uint64(sum[:])
}

// hash returns the hash of the key alone: the other parts have few values, which
// comparing tells apart.
func (i *id) hash(seed maphash.Seed) uint64 {
	return maphash.String(seed, i.key)
}

// none is the slot that stands for no entry.
const none int32 = 0

// entry is one key in a shard's table.
type entry struct {
	id
	counter
	// chain is the next entry of the same hash bucket, or the next free one.
	chain int32
	// older and newer are the neighbours in the order of use of an entry that
	// has quota left.
	older, newer int32
	// rank is the index in the heap of limited entries plus 1; 0 for an entry that has
	// quota left.
	rank int32
}

// shard is a hash table of at most maxKeys entries that knows which to evict.
type shard struct {
	seed    maphash.Seed
	maxKeys int

	mu sync.Mutex
	monotonic
	// entries are indexed by slot; slot 0 (none) is not used.
	entries []entry
	// heads are the first entries of the hash buckets; their number is a power of two.
	heads []int32
	// free is the first free slot, and held how many are in use.
	free, held int32
	// swept is the last slot that a sweep checked, and calls counts up to the next sweep.
	swept int32
	calls uint32
	recent
	limited
}

// find returns the slot of an entry, or none. It takes the parts of an id one by one,
// since making an id takes longer than the search.
func (s *shard) find(namespace uint64, name, key string, q *quota, hash uint64) int32 {
	if len(s.heads) == 0 {
		return none
	}
	slot := s.heads[s.head(hash)]
	for slot != none {
		e := &s.entries[slot]
		if e.quota == *q && e.namespace == namespace && e.key == key && e.name == name {
			break
		}
		slot = e.chain
	}
	return slot
}

// insert adds an entry that has counted nothing. The key is copied, since it may be a
// substring of a larger string.
func (s *shard) insert(id id, hash uint64) int32 {
	slot := s.freeSlot()
	e := &s.entries[slot]
	e.id = id
	e.key = strings.Clone(id.key)
	h := s.head(hash)
	e.chain, s.heads[h] = s.heads[h], slot
	s.recent.add(s.entries, slot)
	s.held++
	return slot
}

// freeSlot returns a free slot. Where there is none it grows the table, or at maxKeys
// evicts the victim.
func (s *shard) freeSlot() int32 {
	if s.free == none && len(s.entries) == cap(s.entries) && len(s.entries) <= s.maxKeys {
		s.grow()
	}
	if s.free == none && len(s.entries) < cap(s.entries) {
		s.entries = append(s.entries, entry{})
		return int32(len(s.entries) - 1)
	}
	if s.free == none {
		s.remove(s.victim())
	}
	slot := s.free
	s.free = s.entries[slot].chain
	s.entries[slot].chain = none
	return slot
}

// victim returns the entry to evict: the least recently used one with quota left; where
// there is none, the limited one that is allowed again soonest.
func (s *shard) victim() int32 {
	if s.oldest != none {
		return s.oldest
	}
	return s.limited[0].slot
}

// reorder moves an entry to the limited ones if it must wait, or else to the recent
// ones, as the newest.
func (s *shard) reorder(slot int32, t, wait int64) {
	limited := s.entries[slot].rank != 0
	switch {
	case wait > 0 && limited:
		s.limited.move(s.entries, slot, t+wait)
	case wait > 0:
		s.recent.remove(s.entries, slot)
		s.limited.add(s.entries, slot, t+wait)
	case limited:
		s.limited.remove(s.entries, slot)
		s.recent.add(s.entries, slot)
	case s.newest != slot:
		s.recent.remove(s.entries, slot)
		s.recent.add(s.entries, slot)
	}
}

// sweepEvery is after how many calls a sweep checks as many adjacent entries.
const sweepEvery = 8

// sweep checks a few entries: limited ones that are allowed again by now, and every
// sweepEvery calls the next of the table, which are removed if their quota is unused.
func (s *shard) sweep(t int64) {
	for range 2 {
		if len(s.limited) == 0 || s.limited[0].until > t {
			break
		}
		s.reorder(s.limited[0].slot, t, 0)
	}
	if s.calls++; s.calls%sweepEvery != 0 {
		return
	}
	for range min(sweepEvery, len(s.entries)-1) {
		s.swept++
		if int(s.swept) >= len(s.entries) {
			s.swept = none + 1
		}
		if e := &s.entries[s.swept]; e.quota.kind != 0 && e.unused(&e.quota, t) {
			s.remove(s.swept)
		}
	}
}

// remove removes an entry and frees its slot.
func (s *shard) remove(slot int32) {
	e := &s.entries[slot]
	link := &s.heads[s.head(e.id.hash(s.seed))]
	for *link != slot {
		link = &s.entries[*link].chain
	}
	*link = e.chain
	if e.rank != 0 {
		s.limited.remove(s.entries, slot)
	} else {
		s.recent.remove(s.entries, slot)
	}
	*e = entry{chain: s.free}
	s.free = slot
	s.held--
}

// grow doubles the table, up to maxKeys.
func (s *shard) grow() {
	used := max(1, len(s.entries))
	keys := min(max(16, 2*(used-1)), s.maxKeys)
	entries := make([]entry, used, keys+1)
	copy(entries, s.entries)
	s.entries = entries
	s.heads = make([]int32, powerOfTwo(keys))
	for i := 1; i < len(entries); i++ {
		e := &entries[i]
		h := s.head(e.id.hash(s.seed))
		e.chain, s.heads[h] = s.heads[h], int32(i)
	}
}

func (s *shard) head(hash uint64) uint64 {
	return hash & uint64(len(s.heads)-1)
}
