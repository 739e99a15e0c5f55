package document

import (
	"bytes"
	"fmt"
	"regexp"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"go.yaml.in/yaml/v3"
)

// unreadable finds the first character that is not UTF-8 or not accepted, and says where and
// why. An empty reason means there is none.
func unreadable(data []byte, accept func(rune) bool) (offset int, reason string) {
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size == 1:
			return i, "not valid UTF-8"
		case !accept(r):
			return i, fmt.Sprintf("the character %U is not accepted; write it as an escape in double quotes", r)
		}
		i += size
	}
	return 0, ""
}

// printable reports whether YAML 1.2 section 5.1 takes the character, and it does not stand for
// a masked one.
func printable(r rune) bool {
	switch {
	case r == '\t' || r == '\n' || r == '\r' || r == 0x85:
		return true
	case r < 0x20 || r >= 0x7F && r < 0xA0:
		return false
	}
	return r != 0xFEFF && r != 0xFFFE && r != 0xFFFF && !strings.ContainsRune(indicators, r-maskBase)
}

// lineAndColumn converts an offset in bytes.
func lineAndColumn(file string, data []byte, offset int) Position {
	before := data[:min(max(offset, 0), len(data))]
	start := bytes.LastIndexByte(before, '\n') + 1
	return Position{
		File:   file,
		Line:   1 + bytes.Count(before, []byte("\n")),
		Column: 1 + utf8.RuneCount(before[start:]),
	}
}

var yamlMessage = regexp.MustCompile(`(?s)^yaml: (?:line (\d+): )?(.*)$`)

// yamlError reports an error of the YAML parser at the line it is about. The parser gives no
// column.
func (b *builder) yamlError(root *node, data []byte, err error) *node {
	at, problem := splitMessage(err)
	lines := bytes.SplitAfter(data, []byte("\n"))
	line := errorLine(lines, at, problem)
	root.pos = Position{File: b.file, Line: line, Column: 1}

	text := string(lines[line-1])
	indent := text[:len(text)-len(strings.TrimLeft(text, " \t"))]
	switch tab := strings.IndexByte(indent, '\t'); {
	case tab >= 0:
		root.pos.Column = tab + 1
		return root.fail(b.found, "a tab can not indent YAML; use spaces")
	case strings.HasPrefix(problem, "unknown anchor"):
		return root.fail(b.found, noAliases)
	}
	return root.fail(b.found, "not valid YAML: "+problem)
}

func splitMessage(err error) (line int, problem string) {
	m := yamlMessage.FindStringSubmatch(err.Error())
	if m == nil {
		return 0, "the parser can not make sense of it"
	}
	line, _ = strconv.Atoi(m[1])
	return line, m[2]
}

// errorLine tells which line, from 1, an error of the YAML parser is about. The parser names
// the line for errors in characters, and the line before the opening bracket for errors in []
// and {}. For errors in indentation it names the start of the surrounding block, and for some
// nothing at all: for those, it is the last line of the shortest beginning of the document with
// the same error.
func errorLine(lines [][]byte, at int, problem string) int {
	structural := strings.HasPrefix(problem, "did not find expected")
	block := problem == "did not find expected key" || problem == "did not find expected '-' indicator"
	switch {
	case structural && !block:
		at++
	case block || at == 0:
		at = 1 + sort.Search(len(lines)-1, func(i int) bool {
			return firstProblem(bytes.Join(lines[:i+1], nil)) == problem
		})
	}
	return min(max(at, 1), len(lines))
}

// firstProblem is what the parser has against data, or nothing.
func firstProblem(data []byte) string {
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	for {
		if _, err := nextDocument(decoder); err != nil {
			_, problem := splitMessage(err)
			return problem
		}
	}
}
