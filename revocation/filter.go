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

// bitsPerEntry makes about one wrong find in a hundred when the index is full.
const bitsPerEntry = 16

// seed makes what collides unknown to whoever chooses ids.
var seed = maphash.MakeSeed()

func newFilter(entries int) *filter {
	words := max(64, entries*bitsPerEntry/64)
	return &filter{words: make([]atomic.Uint64, 1<<bits.Len(uint(words-1)))}
}

func (f *filter) add(s subject) {
	word, mask := f.place(s)
	word.Or(mask)
}

func (f *filter) has(s subject) bool {
	word, mask := f.place(s)
	return word.Load()&mask == mask
}

// place is the word of a subject, and its bits in it.
func (f *filter) place(s subject) (*atomic.Uint64, uint64) {
	h := maphash.String(seed, s.id) + uint64(len(s.kind))*0x9e3779b97f4a7c15
	if s.of != "" {
		h += bits.RotateLeft64(maphash.String(seed, s.of), 32)
	}
	mask := uint64(1)<<(h&63) | 1<<(h>>6&63) | 1<<(h>>12&63) | 1<<(h>>18&63)
	return &f.words[h>>24&uint64(len(f.words)-1)], mask
}
