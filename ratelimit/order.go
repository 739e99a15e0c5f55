package ratelimit

// recent is the LRU list of the entries that have quota left, linked through the
// entries.
type recent struct {
	oldest, newest int32
}

// add makes slot the newest.
func (r *recent) add(entries []entry, slot int32) {
	e := &entries[slot]
	e.older, e.newer = r.newest, none
	if r.newest == none {
		r.oldest = slot
	} else {
		entries[r.newest].newer = slot
	}
	r.newest = slot
}

func (r *recent) remove(entries []entry, slot int32) {
	e := &entries[slot]
	if e.older == none {
		r.oldest = e.newer
	} else {
		entries[e.older].newer = e.newer
	}
	if e.newer == none {
		r.newest = e.older
	} else {
		entries[e.newer].older = e.older
	}
	e.older, e.newer = none, none
}

// limited is a heap of the entries that have run out of quota, the one that is allowed
// again soonest first. The rank of an entry is its index here plus one.
type limited []heapItem

type heapItem struct {
	until int64
	slot  int32
}

func (l *limited) add(entries []entry, slot int32, until int64) {
	*l = append(*l, heapItem{until, slot})
	l.up(entries, len(*l)-1)
}

func (l *limited) remove(entries []entry, slot int32) {
	i, last := int(entries[slot].rank-1), len(*l)-1
	moved := (*l)[last]
	*l = (*l)[:last]
	entries[slot].rank = 0
	if i < last {
		(*l)[i] = moved
		l.fix(entries, i)
	}
}

// move changes the time until which slot is limited.
func (l *limited) move(entries []entry, slot int32, until int64) {
	i := int(entries[slot].rank - 1)
	if (*l)[i].until != until {
		(*l)[i].until = until
		l.fix(entries, i)
	}
}

// fix restores the order after a change at i.
func (l *limited) fix(entries []entry, i int) {
	l.down(entries, l.up(entries, i))
}

// up moves the item at i towards the front as far as it belongs, and returns its new
// index.
func (l *limited) up(entries []entry, i int) int {
	h := *l
	w := h[i]
	for i > 0 {
		parent := (i - 1) / 2
		if h[parent].until <= w.until {
			break
		}
		h.set(entries, i, h[parent])
		i = parent
	}
	h.set(entries, i, w)
	return i
}

// down moves the item at i towards the end as far as it belongs.
func (l *limited) down(entries []entry, i int) {
	h := *l
	w := h[i]
	for {
		child := 2*i + 1
		if child >= len(h) {
			break
		}
		if child+1 < len(h) && h[child+1].until < h[child].until {
			child++
		}
		if w.until <= h[child].until {
			break
		}
		h.set(entries, i, h[child])
		i = child
	}
	h.set(entries, i, w)
}

func (l limited) set(entries []entry, i int, w heapItem) {
	l[i] = w
	entries[w.slot].rank = int32(i + 1)
}
