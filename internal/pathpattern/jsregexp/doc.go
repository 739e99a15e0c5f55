// Package jsregexp reads JavaScript regular expressions and writes them for
// Go's two engines, with JavaScript's meaning.
//
// It reads the grammar of ECMA-262 with Annex B, as `new RegExp(source, "i")`
// does: flag i, without u, v, m or s. The meaning differs from that of Go's
// regexp in four ways that matter for paths:
//
//   - A string is a sequence of UTF-16 code units: U+1F600 is two of them, and
//     `.` or `[^/]` takes one. [Encode] turns a path that holds such characters
//     into one whose runes are code units; every other path is left as it is.
//   - Case is folded by upper-casing one code unit, and never from outside ASCII
//     into it: k does not meet U+212A, s does not meet U+017F.
//   - `.` stops at four line terminators, `\s` knows the Unicode spaces, `$` is
//     the very end.
//   - Look-around and back-references exist.
//
// The expression is read into a tree whose sets are already folded. The tree is
// written with explicit sets and nothing else that engines disagree about, so
// that no engine's own idea of case, spaces or line ends has a say.
//
// A [Table] is the third way to run an expression, by a deterministic automaton of
// bounded size. Look-ahead needs one, as in /((?!api).*), since Go's linear engine
// has none and the backtracking one can be made to run for long. And one expression
// can be compared with others by it ([Example]): so rules are found that can never
// decide, and patterns that match what is probably not meant.
package jsregexp
