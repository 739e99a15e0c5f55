package document

import (
	"errors"
	"fmt"
	"os"
	"regexp"
	"strings"
)

// expander replaces references to the environment in the scalars of a tree.
type expander struct {
	env    func(string) (string, bool)
	budget int // bytes that values may still bring in
	found  *problems
}

// expandAll expands every scalar below root, and takes out the list elements that have expanded
// to nothing. What the variables hold stays inside the scalar that names them.
func expandAll(root *node, env func(string) (string, bool), found *problems) {
	if env == nil {
		env = os.LookupEnv
	}
	e := &expander{env: env, budget: maxSize, found: found}
	e.node(root)
}

func (e *expander) node(n *node) {
	if n.kind == text && !n.failed {
		e.scalar(n)
	}
	for _, c := range n.children {
		e.node(c)
	}
	if n.kind == list {
		n.dropAbsent()
	}
}

func (e *expander) scalar(n *node) {
	value, replaced, err := e.expand(n.value)
	if err != nil {
		n.fail(e.found, err.Error())
		return
	}
	if replaced {
		n.raw = n.value
		n.absent = value == ""
	}
	n.value = value
}

// dropAbsent removes the absent elements of a list, so that the paths of the others agree with
// the decoded slice.
func (n *node) dropAbsent() {
	kept := n.children[:0]
	for _, c := range n.children {
		if c.absent {
			n.shorter = true
			continue
		}
		c.index = len(kept)
		kept = append(kept, c)
	}
	n.children = kept
}

var errUnclosed = errors.New("a reference is not closed: write ${NAME}, or $${ for the characters themselves")

// expand replaces ${NAME} and ${NAME:-default} in s, and $${ by ${. It reports whether there
// was a reference.
func (e *expander) expand(s string) (value string, replaced bool, err error) {
	var out strings.Builder
	for {
		before, after, found := strings.Cut(s, "${")
		if !found {
			out.WriteString(s)
			return out.String(), replaced, nil
		}
		if literal, escaped := strings.CutSuffix(before, "$"); escaped {
			out.WriteString(literal + "${")
			s = after
			continue
		}
		body, rest, closed := strings.Cut(after, "}")
		if !closed {
			return "", false, errUnclosed
		}
		v, err := e.lookup(body)
		if err != nil {
			return "", false, err
		}
		out.WriteString(before + v)
		s, replaced = rest, true
	}
}

var variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)

// lookup gives the value of what stands between ${ and }. A variable that is set to nothing
// counts as one that is not set, as in a shell. The text of a malformed reference is not
// repeated: it may be a secret in the wrong place.
func (e *expander) lookup(body string) (string, error) {
	name, fallback, hasFallback := strings.Cut(body, ":-")
	switch {
	case !variableName.MatchString(name):
		return "", errors.New("a reference must be ${NAME} or ${NAME:-default}; write $${ for the characters themselves")
	case strings.Contains(fallback, "${"):
		return "", errors.New("a default can not hold another reference")
	}
	value, set := e.env(name)
	switch {
	case value != "":
	case hasFallback:
		value = fallback
	case set:
		return "", fmt.Errorf("the environment variable %q is empty", name)
	default:
		return "", fmt.Errorf("the environment variable %q is not set", name)
	}
	if e.budget -= len(value); e.budget < 0 {
		return "", errors.New("the document grows by more than 1 MiB when its references are expanded")
	}
	return value, nil
}
