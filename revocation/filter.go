package revocation

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// filter is a Bloom filter whose bits for one subject lie in one word: it never
// misses a subject that was added, and seldom finds one that was not. Reading
// takes no lock.
type filter struct {
	words []atomic.Uint64
}

// bitsPerEntry makes about one principal in three hundred worth a closer look when
// the index is full.
const bitsPerEntry = 32

// seed makes what collides unknown to whoever chooses ids.
var seed = maphash.MakeSeed()

func newFilter(entries int) *filter {
	words := max(64, entries*bitsPerEntry/64)
	return &filter{words: make([]atomic.Uint64, 1<<bits.Len(uint(words-1)))}
}

func (f *filter) add(s subject) {
	word, mask := f.place(s.kind, sum(s.id), sum(s.of))
	word.Or(mask)
}

// has reports whether a subject, by the sums of its ids, may have been added.
func (f *filter) has(kind Kind, id, of uint64) bool {
	word, mask := f.place(kind, id, of)
	return word.Load()&mask == mask
}

// place is the word of a subject, and its bits in it. The word is that of the id
// alone: what is known of a user and of their memberships is found in one place.
func (f *filter) place(kind Kind, id, of uint64) (*atomic.Uint64, uint64) {
	h := id + (of+uint64(len(kind)))*0x9e3779b97f4a7c15
	h ^= h >> 32
	mask := uint64(1)<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63) | 1<<(h>>18&63)
	return &f.words[id>>24&uint64(len(f.words)-1)], mask
}

// sum is a hash of one id. Those who are looked up in several ways need theirs
// once.
func sum(id string) uint64 {
	if id == "" {
		return 0
	}
	return maphash.String(seed, id)
}
