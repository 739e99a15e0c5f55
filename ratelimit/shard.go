package ratelimit

import (
	"crypto/sha256"
	"encoding/binary"
	"hash/maphash"
	"strings"
	"sync"

	"github.com/clerkgate/clerkgate/policy"
)

// id is what one counter counts: who, against which quota. Parts compared as
// parts: no choice of key can meet the key of another limit. The quota in force is
// one of them, so that what was used of it stays used, whichever other the same key
// is counted against in between.
type id struct {
	// realm is the instance, and the definition of the limit.
	realm     uint64
	name, key string
	quota     quota
}

// newID returns that of a check within the realm of an instance.
func newID(realm uint64, c *policy.LimitCheck, q *quota) id {
	return id{realm: realm ^ c.Definition, name: c.Name, key: c.Key, quota: *q}
}

// realmOf is the realm of an instance. Instances are few, and nobody who sends
// requests chooses them.
func realmOf(instance string) uint64 {
	if instance == "" {
		return 0
	}
	sum := sha256.Sum256([]byte(instance))
	return binary.LittleEndian.Uint64(sum[:])
}

// hash is that of the key alone: all else is of few kinds, and is told apart by
// comparing.
func (i *id) hash(seed maphash.Seed) uint64 {
	return maphash.String(seed, i.key)
}

// none is the slot that stands for no entry.
const none int32 = 0

// entry is one key in a shard's table.
type entry struct {
	id
	counter
	// chain is the next entry whose hash has the same head, or the next free one.
	chain int32
	// older and newer are the neighbours in the order of use of an entry that
	// has quota left.
	older, newer int32
	// rank is the place among the limited entries, counted from 1; 0 of one
	// that has quota left.
	rank int32
}

// shard is a hash table of at most maxKeys entries that knows which to forget.
type shard struct {
	seed    maphash.Seed
	maxKeys int

	mu sync.Mutex
	passage
	// entries are addressed by slot; that of none is not used.
	entries []entry
	// heads are the first entries of the chains; their number is a power of two.
	heads []int32
	// free is the first of the slots that hold nothing, and held how many hold
	// something.
	free, held int32
	// hand is the slot the next sweep starts from, and turn counts up to it.
	hand int32
	turn uint32
	recent
	limited
}

// find returns the slot of an entry, or none. The parts of an id come one by one,
// for making one takes longer than finding it.
func (s *shard) find(realm uint64, name, key string, q *quota, hash uint64) int32 {
	if len(s.heads) == 0 {
		return none
	}
	slot := s.heads[s.head(hash)]
	for slot != none {
		e := &s.entries[slot]
		if e.quota == *q && e.realm == realm && e.key == key && e.name == name {
			break
		}
		slot = e.chain
	}
	return slot
}

// insert makes an entry that has nothing counted. The key is copied, for it may
// be a part of something large.
func (s *shard) insert(id id, hash uint64) int32 {
	slot := s.vacant()
	e := &s.entries[slot]
	e.id = id
	e.key = strings.Clone(id.key)
	h := s.head(hash)
	e.chain, s.heads[h] = s.heads[h], slot
	s.recent.add(s.entries, slot)
	s.held++
	return slot
}

// vacant takes a free slot, or makes one: by growing, and where that is not
// allowed by forgetting the entry that matters least.
func (s *shard) vacant() int32 {
	if s.free == none && len(s.entries) == cap(s.entries) && len(s.entries) <= s.maxKeys {
		s.grow()
	}
	if s.free == none && len(s.entries) < cap(s.entries) {
		s.entries = append(s.entries, entry{})
		return int32(len(s.entries) - 1)
	}
	if s.free == none {
		s.remove(s.least())
	}
	slot := s.free
	s.free = s.entries[slot].chain
	s.entries[slot].chain = none
	return slot
}

// least returns the entry to forget: the one with quota left that has been idle
// longest; where there is none, the limited one that is soonest free.
func (s *shard) least() int32 {
	if s.oldest != none {
		return s.oldest
	}
	return s.limited[0].slot
}

// place files an entry by whether it must wait.
func (s *shard) place(slot int32, t, wait int64) {
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

// sweepEvery is after how many calls as many entries are looked at together,
// which lie side by side.
const sweepEvery = 8

// sweep looks at a few entries: those that were limited and are free again by
// now, and at times the next in the table, which go if their quota is whole.
func (s *shard) sweep(t int64) {
	for range 2 {
		if len(s.limited) == 0 || s.limited[0].until > t {
			break
		}
		s.place(s.limited[0].slot, t, 0)
	}
	if s.turn++; s.turn%sweepEvery != 0 {
		return
	}
	for range min(sweepEvery, len(s.entries)-1) {
		s.hand++
		if int(s.hand) >= len(s.entries) {
			s.hand = none + 1
		}
		if e := &s.entries[s.hand]; e.quota.kind != 0 && e.whole(&e.quota, t) {
			s.remove(s.hand)
		}
	}
}

// remove forgets an entry and frees its slot.
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
