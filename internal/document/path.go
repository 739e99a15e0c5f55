package document

import (
	"strconv"
	"strings"
)

// path writes where the node is, as rules[3].match.path[0]. A key of other than letters,
// digits, "_" and "-" is quoted in brackets.
func (n *node) path() string {
	if n.parent == nil {
		return ""
	}
	above := n.parent.path()
	switch {
	case n.parent.kind == list:
		return above + "[" + strconv.Itoa(n.index) + "]"
	case strings.IndexFunc(n.key, notInBareKey) >= 0 || n.key == "":
		return above + "[" + strconv.Quote(n.key) + "]"
	}
	return joinPath(above, n.key)
}

func notInBareKey(r rune) bool {
	return r != '_' && r != '-' && (r < '0' || r > '9') && (r < 'A' || r > 'Z') && (r < 'a' || r > 'z')
}

// joinPath appends a path that is relative to another.
func joinPath(above, below string) string {
	if above == "" || below == "" || strings.HasPrefix(below, "[") {
		return above + below
	}
	return above + "." + below
}

// find walks down a path as far as the document, and the path itself, allow.
func (n *node) find(path string) *node {
	for path != "" {
		name, index, rest, ok := nextStep(path)
		if !ok {
			return n
		}
		child := n.child(name, index)
		if child == nil {
			return n
		}
		n, path = child, rest
	}
	return n
}

// nextStep cuts the first step off a path: a key (index -1) or an index.
func nextStep(path string) (key string, index int, rest string, ok bool) {
	inner, bracketed := strings.CutPrefix(path, "[")
	if !bracketed {
		path = strings.TrimPrefix(path, ".")
		end := strings.IndexAny(path, ".[")
		if end < 0 {
			end = len(path)
		}
		return path[:end], -1, path[end:], end > 0
	}
	if q, err := strconv.QuotedPrefix(inner); err == nil {
		key, _ = strconv.Unquote(q)
		rest, ok = strings.CutPrefix(inner[len(q):], "]")
		return key, -1, rest, ok
	}
	digits, rest, ok := strings.Cut(inner, "]")
	index, err := strconv.Atoi(digits)
	return "", index, rest, ok && err == nil && index >= 0
}

// child returns the element at index or, when index is -1, the value of a key. A key that was
// read from a file is found where the file is named.
func (n *node) child(key string, index int) *node {
	if index >= 0 {
		if n.kind != list || index >= len(n.children) {
			return nil
		}
		return n.children[index]
	}
	if n.kind != mapping {
		return nil
	}
	for _, name := range []string{key, key + fileSuffix} {
		for _, c := range n.children {
			if c.key == name && !c.absent {
				return c
			}
		}
	}
	return nil
}
