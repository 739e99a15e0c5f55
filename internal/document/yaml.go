package document

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

// readYAML parses one YAML document into root.
func (b *builder) readYAML(root *node, data []byte) *node {
	if offset, reason := unreadable(data, printable); reason != "" {
		root.pos = lineAndColumn(b.file, data, offset)
		return root.fail(b.found, reason)
	}
	masked := maskReferences(data)
	decoder := yaml.NewDecoder(bytes.NewReader(masked))
	first, err := nextDocument(decoder)
	if errors.Is(err, io.EOF) {
		return root
	}
	if err != nil {
		return b.yamlError(root, masked, err)
	}
	b.yaml(root, first.Content[0], 0)

	second, err := nextDocument(decoder)
	if errors.Is(err, io.EOF) {
		return root
	}
	if err != nil {
		return b.yamlError(root, masked, err)
	}
	root.reportAt(b.at(second), b.found, "a second document starts here; a file holds one")
	return root
}

// nextDocument parses up to the end of the next document. The parser panics on what it believes
// can not be; that is a syntax error like others to us, because a configuration file must not
// be able to stop a server that reloads it.
func nextDocument(d *yaml.Decoder) (document *yaml.Node, err error) {
	defer func() {
		if recover() != nil {
			err = errors.New("yaml: the parser can not make sense of it")
		}
	}()
	var n yaml.Node
	if err := d.Decode(&n); err != nil {
		return nil, err
	}
	return &n, nil
}

func (b *builder) at(y *yaml.Node) Position {
	return Position{File: b.file, Line: y.Line, Column: y.Column}
}

// yaml fills n from a parsed node. Depth counts the lists and mappings around it.
func (b *builder) yaml(n *node, y *yaml.Node, depth int) {
	n.kind = yamlKind(y)
	n.place(b.at(y))
	switch {
	case y.Kind == yaml.AliasNode || y.Anchor != "":
		n.fail(b.found, noAliases)
	case y.Style&yaml.TaggedStyle != 0:
		n.fail(b.found, "tags are not accepted; quote the value if it is a string")
	case y.Kind == yaml.ScalarNode:
		b.yamlScalar(n, y)
	case b.tooDeep(n, depth):
	case y.Kind == yaml.SequenceNode:
		for _, c := range y.Content {
			b.yaml(b.element(n), c, depth+1)
		}
	default:
		b.yamlMapping(n, y, depth)
	}
}

const noAliases = "anchors (&) and aliases (*) are not accepted; write the value out, or quote it if it is a string"

func yamlKind(y *yaml.Node) kind {
	switch y.Kind {
	case yaml.SequenceNode:
		return list
	case yaml.MappingNode:
		return mapping
	}
	switch y.Tag {
	case "!!null":
		return null
	case "!!bool":
		return boolean
	case "!!int", "!!float":
		return number
	}
	return text // a date is text too: no target wants it otherwise
}

func (b *builder) yamlScalar(n *node, y *yaml.Node) {
	n.value = unmask(y.Value)
	if n.kind == boolean {
		n.value = strings.ToLower(n.value)
	}
	if y.Style != 0 {
		n.style = quoted
	}
}

func (b *builder) yamlMapping(n *node, y *yaml.Node, depth int) {
	keys := make(map[string]Position, len(y.Content)/2)
	for i := 0; i+1 < len(y.Content); i += 2 {
		key, value := y.Content[i], y.Content[i+1]
		if msg := refuseKey(key); msg != "" {
			n.reportAt(b.at(key), b.found, msg)
			continue
		}
		b.yaml(b.entry(n, keys, unmask(key.Value), b.at(key)), value, depth+1)
	}
}

// refuseKey says what is wrong with a key as such.
func refuseKey(key *yaml.Node) string {
	switch {
	case key.Kind == yaml.AliasNode || key.Anchor != "":
		return noAliases
	case key.Kind != yaml.ScalarNode:
		return "a key must be a word, not a list or a mapping"
	case key.Style&yaml.TaggedStyle != 0:
		return "tags are not accepted"
	case key.Tag == "!!merge":
		return "merge keys (<<) are not accepted; write the keys out"
	case key.Tag == "!!null":
		return "a key is missing before the colon"
	}
	return ""
}

// reference is a reference to the environment, as far as it may stand in a YAML scalar without
// quotes.
var reference = regexp.MustCompile(`\$\{[A-Za-z_][A-Za-z0-9_]*(:-[^}"'\n]*)?\}`)

// The characters of a reference that end a bare scalar in YAML, and private ones to stand for
// them: in [${A}, b] the parser would see a mapping. One character becomes one, so columns stay
// as they are.
const (
	indicators = "{}[],:#"
	maskBase   = '\U000F0000'
)

var mask, unmasker = maskReplacers()

func maskReplacers() (mask, unmask *strings.Replacer) {
	var there, back []string
	for _, r := range indicators {
		there = append(there, string(r), string(maskBase+r))
		back = append(back, string(maskBase+r), string(r))
	}
	return strings.NewReplacer(there...), strings.NewReplacer(back...)
}

func maskReferences(data []byte) []byte {
	return reference.ReplaceAllFunc(data, func(ref []byte) []byte { return []byte(mask.Replace(string(ref))) })
}

func unmask(s string) string { return unmasker.Replace(s) }
