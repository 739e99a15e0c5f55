package document

import "fmt"

// kind is what a node is in the notation, before any target type is known.
type kind int

const (
	null kind = iota
	boolean
	number
	text
	list
	mapping
)

// style is how a scalar was written. It decides what an expanded value may become, see
// [node.retypes].
type style int

const (
	bare       style = iota // YAML without quotes
	quoted                  // YAML with quotes, or a block scalar
	jsonString              // JSON, which has no bare form
)

// node is one value of the document. Its children are the elements of a list or the values of a
// mapping, each with its index or key.
type node struct {
	kind  kind
	value string // of a scalar, expanded
	style style
	raw   string // of a scalar with references: as it was written

	absent  bool // expanded to nothing: as if the key or element were not there
	shorter bool // a list that lost absent elements
	failed  bool // the problem is reported, the value is unusable

	pos      Position
	parent   *node
	key      string
	keyPos   Position
	index    int
	children []*node
}

// fail reports msg at the node and makes it unusable. It returns the node, for use in a return
// statement.
func (n *node) fail(found *problems, msg string) *node {
	n.failed = true
	n.report(found, msg)
	return n
}

// report reports msg at the node.
func (n *node) report(found *problems, msg string) { n.reportAt(n.pos, found, msg) }

// reportAt reports msg about the node at another place: that of a key in it. The path is not
// written when the error would not be shown, so that many errors deep down stay cheap.
func (n *node) reportAt(at Position, found *problems, msg string) {
	if found.full() {
		found.total++
		return
	}
	found.add(&Error{Position: at, Path: n.path(), Msg: msg})
}

// retypes reports whether the expanded text may stand for a number or a boolean. Quotes in YAML
// say no. JSON has to put quotes around every reference, so there they say nothing.
func (n *node) retypes() bool { return n.raw != "" && n.style != quoted }

// settle fixes the kind of an expanded scalar, once the type it is decoded into is known.
func (n *node) settle(k kind) {
	n.kind = k
	n.style = quoted
}

// empty reports whether nothing is left in the value, or less than was written.
func (n *node) empty() bool {
	switch n.kind {
	case text:
		return n.value == ""
	case list:
		return len(n.children) == 0 || n.shorter
	case mapping:
		return !hasPresent(n.children)
	}
	return false
}

func hasPresent(nodes []*node) bool {
	for _, n := range nodes {
		if !n.absent {
			return true
		}
	}
	return false
}

// broken reports whether the node, or one below it, is unusable.
func (n *node) broken() bool {
	if n.failed {
		return true
	}
	for _, c := range n.children {
		if c.broken() {
			return true
		}
	}
	return false
}

// forget drops the values, so that what remembers positions holds no secrets.
func (n *node) forget() {
	n.value, n.raw = "", ""
	for _, c := range n.children {
		c.forget()
	}
}

// builder makes nodes, and refuses what a document may hold in neither notation.
type builder struct {
	file  string
	found *problems
}

// tooDeep reports and refuses a list or mapping below maxDepth others.
func (b *builder) tooDeep(n *node, depth int) bool {
	if depth < maxDepth {
		return false
	}
	n.fail(b.found, fmt.Sprintf("nested deeper than %d levels", maxDepth))
	return true
}

// element appends an element to a list and returns it, to be filled.
func (b *builder) element(parent *node) *node {
	child := &node{parent: parent, index: len(parent.children)}
	parent.children = append(parent.children, child)
	return child
}

// entry adds a key to a mapping and returns its value, to be filled. A key that can not be
// accepted is reported, and its value belongs to no mapping.
func (b *builder) entry(parent *node, keys map[string]Position, key string, at Position) *node {
	child := &node{parent: parent, key: key, keyPos: at}
	if len(key) > maxKey {
		child.key = "..."
		parent.reportAt(at, b.found, fmt.Sprintf("a key is longer than %d bytes", maxKey))
		return child
	}
	if first, repeated := keys[key]; repeated {
		parent.reportAt(at, b.found, fmt.Sprintf("duplicate key %q, first on line %d", key, first.Line))
		return child
	}
	keys[key] = at
	parent.children = append(parent.children, child)
	return child
}

// place sets where the node is reported: at its own start, or at its key if that is on an
// earlier line.
func (n *node) place(at Position) {
	n.pos = at
	if n.keyPos.Line != 0 && (n.kind == null || n.keyPos.Line < at.Line) {
		n.pos = n.keyPos
	}
}
