package target

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"
)

// maxReadings bounds how many readings a path may have, and maxReadingBytes
// their length in all. Ordinary paths have one; a path with more is refused.
const (
	maxReadings     = 32
	maxReadingBytes = 4 * maxPath
)

// Readings are the plausible readings of one path. Upstreams differ: some
// decode reserved characters, some merge slashes, some read ";x" away. A rule
// that protects matches if any reading matches, a rule that opens only if every
// reading does, so that no upstream serves what the policy judged differently.
type Readings []string

// readPath decodes a path and collects its readings. The first is the form in
// which Clerk's route matcher sees it. more adds further readings of one; nil adds
// none.
func readPath(path string, more func(path string, add func(string))) (Readings, error) {
	if more == nil && plainPath(path) {
		return Readings{path}, nil
	}
	decoded, err := decodePath(path)
	if err != nil {
		return nil, err
	}
	if len(decoded) > maxUnicodePath && !isASCII(decoded) {
		return nil, ErrTooLong
	}
	for _, text := range []string{decoded, FoldUnicode(decoded)} {
		if err := checkDecoded(text); err != nil {
			return nil, err
		}
	}
	return closeReadings(path, more)
}

// plainMarks are the marks that no upstream treats specially.
const plainMarks = "-_~@!&'*+,=:"

// plainPath reports whether a path has only one reading: letters, digits and
// the marks no upstream treats specially, with no empty and no dotted segment,
// that is neither behind a script nor the data of a page.
func plainPath(path string) bool {
	segment, dotted := 0, false // where the last one begins, and whether it has a dot
	for i := range len(path) {
		switch c := path[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9', strings.IndexByte(plainMarks, c) >= 0:
		case c == '/':
			if i > 0 && (path[i-1] == '/' || path[i-1] == '.') || dotted && runs(path[segment:i]) {
				return false
			}
			segment, dotted = i+1, false
		case c == '.':
			if path[i-1] == '/' && (i+1 == len(path) || path[i+1] == '.' || path[i+1] == '/') {
				return false
			}
			dotted = true
		default:
			return false
		}
	}
	return path[len(path)-1] != '.' && !strings.HasSuffix(path, ".json")
}

// hasEscapedSlash reports whether a path has slashes that some upstreams take for
// separators, and others for characters. They are among its readings.
func hasEscapedSlash(path string) bool {
	return strings.Contains(path, "%2f") || strings.Contains(path, "%2F")
}

// decodePath decodes every percent escape. Escapes that are broken, that hide a
// backslash or a control character, or that hide another escape are refused.
func decodePath(path string) (string, error) {
	b := make([]byte, 0, len(path))
	for i := 0; i < len(path); i++ {
		c := path[i]
		switch {
		case c == '%':
			if i+2 >= len(path) || !isHex(path[i+1]) || !isHex(path[i+2]) {
				return "", ErrMalformed
			}
			c = unhex(path[i+1])<<4 | unhex(path[i+2])
			if c < 0x20 || c == 0x7f {
				return "", ErrMalformed
			}
			if c == '\\' {
				return "", ErrAmbiguous
			}
			i += 2
		case c <= ' ' || c == 0x7f || c == '#':
			return "", ErrMalformed
		case c == '\\':
			return "", ErrAmbiguous
		}
		b = append(b, c)
	}
	decoded := string(b)
	if !utf8.ValidString(decoded) {
		return "", ErrMalformed
	}
	return decoded, nil
}

// checkDecoded refuses what is still an escape after decoding, dot segments in
// every disguise, and characters that end lines.
func checkDecoded(decoded string) error {
	for i, r := range decoded {
		switch {
		case r == '%':
			if rest := decoded[i+1:]; hidesEscape(rest) {
				return ErrAmbiguous
			}
		case r == '\\':
			return ErrAmbiguous
		case r == '\u2028', r == '\u2029', unicode.Is(unicode.Cc, r):
			return ErrMalformed
		}
	}
	if HasDotSegment(decoded) {
		return ErrAmbiguous
	}
	return nil
}

// HasDotSegment reports whether a segment is "." or "..", or would be to those
// who read parameters and trailing dots and spaces away: one of dots and spaces
// alone.
func HasDotSegment(path string) bool {
	for segment := range strings.SplitSeq(path, "/") {
		name, _, _ := strings.Cut(segment, ";")
		if strings.HasPrefix(name, ".") && strings.Trim(name, ". ") == "" {
			return true
		}
	}
	return false
}

// hidesEscape reports whether a text after "%" makes a percent escape or an
// IIS %uXXXX escape.
func hidesEscape(rest string) bool {
	if len(rest) >= 2 && isHex(rest[0]) && isHex(rest[1]) {
		return true
	}
	return len(rest) >= 1 && (rest[0] == 'u' || rest[0] == 'U')
}

// closeReadings applies every way of reading to every reading until nothing
// new appears.
func closeReadings(path string, more func(string, func(string))) (Readings, error) {
	unreserved := decodeUnreserved(nil, path)
	all := append(make(Readings, 0, 8), mergeSlashes(nil, unreserved))
	size := len(all[0])
	add := func(reading string) {
		if reading == "" || reading[0] != '/' {
			reading = "/" + reading
		}
		if !slices.Contains(all, reading) {
			all, size = append(all, reading), size+len(reading)
		}
	}
	add(unreserved)
	for i := 0; i < len(all); i++ {
		if more != nil {
			more(all[i], add)
		}
		has := classesOf(all[i])
		for _, transform := range transforms {
			if has&transform.where == 0 {
				continue
			}
			add(transform.apply(all, all[i]))
			if len(all) > maxReadings || size > maxReadingBytes {
				return nil, ErrAmbiguous
			}
		}
		if has&dot != 0 && HasDotSegment(all[i]) {
			return nil, ErrAmbiguous
		}
	}
	return all, nil
}

// With are both readings, each once.
func (all Readings) With(others Readings) Readings {
	for _, reading := range others {
		if !slices.Contains(all, reading) {
			all = append(all, reading)
		}
	}
	return all
}

func isASCII(s string) bool {
	for i := range len(s) {
		if s[i] >= utf8.RuneSelf {
			return false
		}
	}
	return true
}

func isHex(c byte) bool {
	return '0' <= c && c <= '9' || 'a' <= c && c <= 'f' || 'A' <= c && c <= 'F'
}

func unhex(c byte) byte {
	switch {
	case c <= '9':
		return c - '0'
	case c <= 'F':
		return c - 'A' + 10
	default:
		return c - 'a' + 10
	}
}
