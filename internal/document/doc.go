// Package document decodes a configuration document, YAML or JSON, into Go structs, strictly: an
// unknown key is an error, and every error has its position and, where possible, a suggestion.
//
// It does not know the subject of the document: the `json` tags of the target are the known
// keys. Decoding has these steps, and all errors are reported together, sorted by position:
//
//  1. The bytes are parsed to a tree of nodes, each with its line and column. Files named *.json
//     are parsed as JSON, all others as YAML. Repeated keys, anchors, aliases, merge keys, tags,
//     a second document, nesting deeper than 64 levels and documents over 1 MiB are errors, so
//     the work is bounded by the size of the file.
//  2. ${NAME} and ${NAME:-default} are expanded inside scalar values, never in keys, after
//     parsing: the value of an environment variable can not add a key, an element or a second
//     document.
//  3. The tree is decoded into the struct, by type: a string is never converted to a number, nor
//     a number to a string.
//
// # Empty values
//
// A key without a value (null) is an error unless the target is of type any: a requirement that
// was left empty must not be treated as one that is absent. A variable that is unset or empty is
// an error as well, unless a default is given. ${NAME:-} gives the empty default: the key, or
// the list element, is then treated as absent.
//
// # Field tags
//
// Beside `json:"name"` a field may have `document:"..."`, a comma-separated list of:
//
//   - secret: the value is never repeated in an error
//   - file: the key name_file is accepted as well; it names a file whose trimmed content is the
//     value. Implies secret
//   - nonempty: an empty string, list or mapping is an error, and so is one that became empty,
//     or shorter, by expansion
//
// # Types that decode themselves
//
// A type with UnmarshalJSON gets the JSON of its part of the document, one with UnmarshalText
// the text of a string; their errors have the position of that part. Keys below a type with
// UnmarshalJSON are not checked, unless it implements [Shaper]. Such a type never gets null, and
// the file tag has no effect inside it.
package document
