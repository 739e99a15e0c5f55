package policy

import "unicode/utf8"

// marks say which characters a path holds that somebody may treat specially.
type marks uint16

const (
	percent marks = 1 << iota
	semicolon
	end // ? or #
	slashes
	dot
	space
	dollar
	parenthesis
	wide // outside ASCII
)

// markOf is the mark of each byte; two slashes in a row are seen to apart.
var markOf = func() (table [256]marks) {
	for c, m := range map[byte]marks{'%': percent, ';': semicolon, '?': end, '#': end, '.': dot, ' ': space, '$': dollar, '(': parenthesis} {
		table[c] = m
	}
	for c := utf8.RuneSelf; c < len(table); c++ {
		table[c] = wide
	}
	return table
}()

// marksOf collects the marks of a path.
func marksOf(path string) (m marks) {
	for i := range len(path) {
		m |= markOf[path[i]]
		if path[i] == '/' && i > 0 && path[i-1] == '/' {
			m |= slashes
		}
	}
	return m
}
