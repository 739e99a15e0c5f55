// Package document reads a configuration document, YAML or JSON, into Go structs, strictly: what the structs do not
// ask for is an error, and every error says where it is and what may have been meant.
//
// It knows nothing of what the document is about. The target's `json` tags say which keys there are. Reading goes in
// this order, and all that is wrong is reported together, sorted by position:
//
//  1. The bytes become a tree of nodes, each with its line and column. Files named *.json are read as JSON, all others
//     as YAML. Repeated keys, anchors, aliases, merge keys, tags, a second document, nesting deeper than 64 levels and
//     documents over 1 MiB are refused, so the work is bounded by the size of the file.
//  2. ${NAME} and ${NAME:-default} are expanded inside scalar values, never in keys, after parsing: a value from the
//     environment can not add a key, an element or a second document.
//  3. The tree is decoded into the struct, by type: a word is never taken for a number, nor a number for a string.
//
// # Empty values
//
// A key without a value (null) is an error wherever the target is not of type any: a requirement that was written and
// left empty must not read as a requirement that was never made. A variable that is unset or empty is an error as
// well, unless a default is given. ${NAME:-} gives the empty default: the key, or the list element, is then treated as
// absent.
//
// # Field tags
//
// Beside `json:"name"` a field may carry `document:"..."`, a comma-separated list of:
//
//   - secret: the value is never repeated in an error
//   - file: the key name_file is accepted as well; it names a file whose trimmed content is the value. Implies secret
//   - nonempty: an empty string, list or mapping is an error, and so is one that became empty, or shorter, by expansion
//
// # Types that decode themselves
//
// A type with UnmarshalJSON gets the JSON of its part of the document, one with UnmarshalText gets the text of a
// string; their errors are located at that part. Keys below a type with UnmarshalJSON are its own affair, unless it
// implements [Shaper]. Such a type never sees null, and the file tag has no effect inside it.
package document
