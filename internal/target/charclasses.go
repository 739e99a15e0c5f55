package target

import "unicode/utf8"

// classes say which characters a path holds that somebody may treat specially.
type classes uint16

const (
	percent classes = 1 << iota
	semicolon
	end // ? or #
	slashes
	dot
	space
	dollar
	parenthesis
	wide // outside ASCII
)

// classOf is the class of each byte; two slashes in a row are seen to apart.
var classOf = func() (table [256]classes) {
	for c, m := range map[byte]classes{'%': percent, ';': semicolon, '?': end, '#': end, '.': dot, ' ': space, '$': dollar, '(': parenthesis} {
		table[c] = m
	}
	for c := utf8.RuneSelf; c < len(table); c++ {
		table[c] = wide
	}
	return table
}()

// classesOf collects the classes of a path.
func classesOf(path string) (m classes) {
	for i := range len(path) {
		m |= classOf[path[i]]
		if path[i] == '/' && i > 0 && path[i-1] == '/' {
			m |= slashes
		}
	}
	return m
}
