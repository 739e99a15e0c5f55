package jsregexp

import (
	"sync"
	"unicode"
)

// expands holds the code units whose full upper-case form is longer than one
// unit (Unicode SpecialCasing.txt): they are equal to themselves alone, though
// some have a simple upper-case form.
var expands = set{
	{0x00DF, 0x00DF}, {0x0149, 0x0149}, {0x01F0, 0x01F0}, {0x0390, 0x0390}, {0x03B0, 0x03B0},
	{0x0587, 0x0587}, {0x1E96, 0x1E9A}, {0x1F50, 0x1F50}, {0x1F52, 0x1F52}, {0x1F54, 0x1F54},
	{0x1F56, 0x1F56}, {0x1F80, 0x1FAF}, {0x1FB2, 0x1FB4}, {0x1FB6, 0x1FB7}, {0x1FBC, 0x1FBC},
	{0x1FC2, 0x1FC4}, {0x1FC6, 0x1FC7}, {0x1FCC, 0x1FCC}, {0x1FD2, 0x1FD3}, {0x1FD6, 0x1FD7},
	{0x1FE2, 0x1FE4}, {0x1FE6, 0x1FE7}, {0x1FF2, 0x1FF4}, {0x1FF6, 0x1FF7}, {0x1FFC, 0x1FFC},
	{0xFB00, 0xFB06}, {0xFB13, 0xFB17},
}

// later holds the upper-case forms that came with Unicode 16 and 17, after the
// version of Go's tables.
var later = map[rune]rune{
	0x019B: 0xA7DC, 0x0264: 0xA7CB, 0x1C8A: 0x1C89, 0xA7CD: 0xA7CC,
	0xA7CF: 0xA7CE, 0xA7D3: 0xA7D2, 0xA7D5: 0xA7D4, 0xA7DB: 0xA7DA,
}

// Canonical returns what r is compared as without regard to case: ECMA-262
// Canonicalize for flag i without flag u. Two code units are equal when their
// canonical forms are. A rune beyond U+FFFF is two code units, and neither folds.
func Canonical(r rune) rune {
	if r < 0x80 {
		if 'a' <= r && r <= 'z' {
			r -= 'a' - 'A'
		}
		return r
	}
	if r > maxUnit || expands.contains(r) {
		return r
	}
	if upper, ok := later[r]; ok {
		return upper
	}
	if upper := unicode.ToUpper(r); 0x80 <= upper && upper <= maxUnit {
		return upper
	}
	return r
}

// foldings are the sets of two or more code units that are equal but for case.
type foldings struct {
	classes [][]rune
	of      map[rune][]rune // the class that a code unit is in, if any
}

// folding works the foldings out once, on first use.
var folding = sync.OnceValue(func() foldings {
	members := map[rune][]rune{}
	for u := rune(0); u <= maxUnit; u++ {
		if c := Canonical(u); c != u {
			members[c] = append(members[c], u)
		}
	}
	f := foldings{of: map[rune][]rune{}}
	for c, units := range members {
		class := append(units, c)
		f.classes = append(f.classes, class)
		for _, u := range class {
			f.of[u] = class
		}
	}
	return f
})
