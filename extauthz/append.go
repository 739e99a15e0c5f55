package extauthz

import (
	"slices"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

// appendMessage appends a message, whose fields write appends.
func appendMessage(b []byte, num protowire.Number, write func([]byte) []byte) []byte {
	b = appendTag(b, num, 0)
	start := len(b)
	b = write(b)
	size := len(b) - start
	b[start-1] = byte(size)
	if size < 1<<7 {
		return b
	}
	var long [10]byte
	return slices.Replace(b, start-1, start, protowire.AppendVarint(long[:0], uint64(size))...)
}

// appendString appends a string. Bytes that are not UTF-8 are replaced by U+FFFD: one
// such string would make the whole response invalid.
func appendString(b []byte, num protowire.Number, s string) []byte {
	s = strings.ToValidUTF8(s, "\uFFFD")
	return append(appendTag(b, num, len(s)), s...)
}

func appendNumber(b []byte, num protowire.Number, n uint64) []byte {
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.VarintType), n)
}

// appendTag begins a field whose value is size bytes long.
func appendTag(b []byte, num protowire.Number, size int) []byte {
	if num < 1<<4 && size < 1<<7 { // nearly all are
		return append(b, byte(protowire.EncodeTag(num, protowire.BytesType)), byte(size))
	}
	return protowire.AppendVarint(protowire.AppendTag(b, num, protowire.BytesType), uint64(size))
}

// sizeOf returns the length of a field with a number below 16 and a value of size bytes.
func sizeOf(size int) int { return 1 + protowire.SizeBytes(size) }
