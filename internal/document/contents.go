package document

import (
	"errors"
	"fmt"
	"io/fs"
	"path/filepath"
	"strings"
)

// contents reads the file that n names and returns a text node in its place, with the trimmed
// content. An unusable file is reported by its path, and the node is a failed one.
func (d *decoder) contents(n *node, f field) *node {
	value := &node{kind: text, style: quoted, pos: n.pos, parent: n.parent, key: f.name, keyPos: n.keyPos}
	if n.kind != text || n.value == "" {
		d.mismatch(n, "the path of a file", true)
		value.failed = true
		return value
	}
	content, err := d.read(n)
	if err != nil {
		n.fail(d.found, fmt.Sprintf("can not read %q: %v", n.value, err))
		value.failed = true
		return value
	}
	value.value = content
	return value
}

func (d *decoder) read(n *node) (string, error) {
	path := n.value
	if !filepath.IsAbs(path) {
		path = filepath.Join(d.folder, path)
	}
	d.files = append(d.files, File{Path: n.path(), Name: path})
	read := d.readFile
	if read == nil {
		read = ReadFile
	}
	data, err := read(path)
	if err != nil {
		return "", withoutPath(err)
	}
	content := strings.TrimSpace(string(data))
	switch {
	case len(data) > maxSize:
		return "", errors.New("the file is larger than 1 MiB")
	case content == "":
		return "", errors.New("the file is empty")
	}
	return content, nil
}

// withoutPath shortens an error of the file system, whose path is named by the caller.
func withoutPath(err error) error {
	if e, ok := errors.AsType[*fs.PathError](err); ok {
		return e.Err
	}
	return err
}
