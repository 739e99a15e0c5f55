package revocation

import (
	"hash/maphash"
	"math/bits"
	"sync/atomic"
)

// filter is a Bloom filter whose bits for one subject are in one word: it has no false
// negatives and few false positives. Reading takes no lock.
type filter struct {
	words []atomic.Uint64
}

// bitsPerEntry makes about one principal in three hundred a false positive when the
// index is full.
const bitsPerEntry = 32

// seed is random, so that nobody can choose IDs that collide.
var seed = maphash.MakeSeed()

func newFilter(entries int) *filter {
	words := max(64, entries*bitsPerEntry/64)
	return &filter{words: make([]atomic.Uint64, 1<<bits.Len(uint(words-1)))}
}

func (f *filter) add(s subject) {
	word, mask := f.wordAndMask(s.kind, hashOf(s.id), hashOf(s.of))
	word.Or(mask)
}

// has reports whether a subject, by the hashes of its IDs, may have been added.
func (f *filter) has(kind Kind, id, of uint64) bool {
	word, mask := f.wordAndMask(kind, id, of)
	return word.Load()&mask == mask
}

// wordAndMask returns the word of a subject, and its bits in it. The word depends on the
// ID alone, so that a user and their memberships share a cache line.
func (f *filter) wordAndMask(kind Kind, id, of uint64) (*atomic.Uint64, uint64) {
	h := id + (of+uint64(len(kind)))*0x9e3779b97f4a7c15
	h ^= h >> 32
	mask := uint64(1)<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63) | 1<<(h>>18&63)
	return &f.words[id>>24&uint64(len(f.words)-1)], mask
}

// hashOf returns the hash of one ID, which is computed once for several lookups.
func hashOf(id string) uint64 {
	if id == "" {
		return 0
	}
	return maphash.String(seed, id)
}
