package document

import (
	"bytes"
	"errors"
	"path/filepath"
	"reflect"
	"strings"
)

// Limits of a document. A larger or deeper one is refused.
const (
	maxSize  = 1 << 20 // bytes, of the document, of a referenced file, and of all expanded values together
	maxDepth = 64      // nested lists and mappings
	maxKey   = 256     // bytes, of one key
	maxShown = 100     // errors in one report
)

// Options are those of [Load]. The zero value reads the environment and files of the process.
type Options struct {
	// Env looks up an environment variable. Default: os.LookupEnv.
	Env func(string) (string, bool)

	// ReadFile reads the file that a name_file key refers to. Relative paths have been resolved
	// against the folder of the document. Default: [ReadFile].
	ReadFile func(string) ([]byte, error)
}

// Document has the positions of a loaded document, without its values. It is immutable and safe
// for concurrent use.
type Document struct {
	root  *node
	files []File
}

// File is a file that a document refers to.
type File struct {
	Path string // of the key: assertion.key_file
	Name string
}

// Files returns the files that the document's name_file keys refer to.
func (d *Document) Files() []File { return d.files }

// Load decodes data into v, a non-nil pointer, usually to a struct that has the defaults. The
// name is used in errors; its extension selects JSON (*.json) or YAML, and relative paths in
// name_file keys are resolved against its folder.
//
// The error joins one [Error] for each problem, sorted by position (the first 100). If there is
// an error, v is not changed.
func Load(name string, data []byte, v any, o Options) (*Document, error) {
	target := reflect.ValueOf(v)
	if target.Kind() != reflect.Pointer || target.IsNil() {
		return nil, errors.New("document: the target must be a non-nil pointer")
	}
	var found problems
	root := read(name, data, &found)
	expandAll(root, o.Env, &found)
	result := reflect.New(target.Type().Elem()).Elem()
	result.Set(target.Elem())
	var files []File
	switch {
	case root.kind != null && !root.absent:
		d := &decoder{folder: filepath.Dir(name), readFile: o.ReadFile, found: &found}
		d.decode(root, result, false)
		files = d.files
	case found.total == 0:
		root.pos = Position{File: name, Line: 1, Column: 1}
		root.report(&found, "the document is empty")
	}
	if err := found.err(); err != nil {
		return nil, err
	}
	target.Elem().Set(result)
	root.forget()
	return &Document{root: root, files: files}, nil
}

// read parses data in the notation that name announces. A document that can not be parsed gives
// a failed node.
func read(name string, data []byte, found *problems) *node {
	root := &node{pos: Position{File: name, Line: 1, Column: 1}}
	if len(data) > maxSize {
		return root.fail(found, "the document is larger than 1 MiB")
	}
	data = bytes.TrimPrefix(data, []byte("\ufeff"))
	b := &builder{file: name, found: found}
	if strings.EqualFold(filepath.Ext(name), ".json") {
		return b.readJSON(root, data)
	}
	return b.readYAML(root, data)
}

// Position returns the position of the value at path. A path is made of keys and indexes:
// rules[3].match.path[0], limits["per-user"].window or limits.per-user.window. A value that
// starts on a later line than its key is found at its key, and one that is not in the document
// at the nearest parent that is.
func (d *Document) Position(path string) Position {
	if d == nil {
		return Position{}
	}
	return d.root.find(path).pos
}

// Locate adds a position to each [PathError] inside err, joined or wrapped, and returns them as
// [Error] values sorted by position. An error that wraps path errors is replaced by those;
// errors without a path are kept and come last. A nil document, that of a configuration without
// a file, returns err as it is.
func (d *Document) Locate(err error) error {
	if d == nil || err == nil {
		return err
	}
	return join(d.root.locate(err))
}
