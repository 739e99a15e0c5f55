package pathpattern

import (
	"fmt"
	"strings"
	"unicode/utf8"
)

// reserved are the characters whose escapes ECMA-262 decodeURI leaves as written.
const reserved = ";/?:@&=+$,#"

// Normalize returns the path that patterns are matched against: percent escapes
// decoded once, except those of ; / ? : @ & = + $ , and #, and then each run of
// slashes made one. It does not resolve dot segments. The error wraps
// [ErrMalformed]: an escape without two hexadecimal digits, or bytes that are not
// UTF-8. A path with nothing to do is returned as it is, without allocation.
func Normalize(path string) (string, error) {
	if !utf8.ValidString(path) {
		return "", fmt.Errorf("%w: not UTF-8", ErrMalformed)
	}
	decoded, err := decode(path)
	if err != nil {
		return "", err
	}
	return mergeSlashes(decoded), nil
}

func decode(path string) (string, error) {
	at := strings.IndexByte(path, '%')
	if at < 0 {
		return path, nil
	}
	out := append(make([]byte, 0, len(path)), path[:at]...)
	for at < len(path) {
		if path[at] != '%' {
			out = append(out, path[at])
			at++
			continue
		}
		char, size, err := decodeChar(path[at:])
		if err != nil {
			return "", fmt.Errorf("%w: at %d", err, at)
		}
		if size == 3 && strings.IndexByte(reserved, char[0]) >= 0 {
			out = append(out, path[at:at+3]...)
		} else {
			out = append(out, char[:size/3]...)
		}
		at += size
	}
	return string(out), nil
}

// decodeChar decodes the escapes of one character at the start of s. It returns
// its UTF-8 bytes and how much of s they were.
func decodeChar(s string) (char [utf8.UTFMax]byte, size int, err error) {
	for n := range char {
		b, ok := decodeByte(s[size:])
		if !ok {
			break
		}
		char[n] = b
		size += 3
		if utf8.FullRune(char[:n+1]) {
			if r, width := utf8.DecodeRune(char[:n+1]); r == utf8.RuneError && width == 1 {
				break
			}
			return char, size, nil
		}
	}
	return char, 0, ErrMalformed
}

func decodeByte(s string) (byte, bool) {
	if len(s) < 3 || s[0] != '%' {
		return 0, false
	}
	high, low := hexDigit(s[1]), hexDigit(s[2])
	return byte(high<<4 | low), high >= 0 && low >= 0
}

func hexDigit(c byte) int {
	switch {
	case '0' <= c && c <= '9':
		return int(c - '0')
	case 'a' <= c && c <= 'f':
		return int(c-'a') + 10
	case 'A' <= c && c <= 'F':
		return int(c-'A') + 10
	}
	return -1
}

func mergeSlashes(path string) string {
	at := strings.Index(path, "//")
	if at < 0 {
		return path
	}
	out := append(make([]byte, 0, len(path)), path[:at]...)
	for ; at < len(path); at++ {
		if path[at] != '/' || at == 0 || path[at-1] != '/' {
			out = append(out, path[at])
		}
	}
	return string(out)
}
