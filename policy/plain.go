package policy

// plainField reports whether a field can be one field only, for every reader
// after us: its name visible ASCII, its value without line breaks and NUL (RFC 9110
// § 5.5).
func plainField(name, value string) bool {
	return name != "" && isVisible(name) && isOneLine(value)
}

// Every byte of every field is looked at, so both look at eight at a time.
const (
	ones = 0x0101010101010101
	high = 0x80 * ones
)

// isVisible reports whether a name is visible ASCII.
func isVisible(name string) bool {
	for ; len(name) >= 8; name = name[8:] {
		// The highest bit shows of a byte that is below '!', or above '~', or has it.
		if eight := eightOf(name); ((eight-'!'*ones)|(eight+ones)|eight)&high != 0 {
			return false
		}
	}
	for i := range len(name) {
		if name[i] <= ' ' || name[i] >= 0x7f {
			return false
		}
	}
	return true
}

// isOneLine reports whether a value has no line breaks and no NUL.
func isOneLine(value string) bool {
	for ; len(value) >= 8; value = value[8:] {
		if eight := eightOf(value); (eight-('\r'+1)*ones)&^eight&high != 0 {
			break // some byte is as low as those are; most values have none
		}
	}
	for i := range len(value) {
		if c := value[i]; c == '\n' || c == '\r' || c == 0 {
			return false
		}
	}
	return true
}

// eightOf are the first eight bytes of a text.
func eightOf(s string) uint64 {
	return uint64(s[0]) | uint64(s[1])<<8 | uint64(s[2])<<16 | uint64(s[3])<<24 |
		uint64(s[4])<<32 | uint64(s[5])<<40 | uint64(s[6])<<48 | uint64(s[7])<<56
}
