package document

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strconv"

	"github.com/clerkgate/clerkgate/internal/redact"
)

// Position is a position in a document. Line and Column count from 1, in characters; a Line of
// 0 is unknown.
type Position struct {
	File         string
	Line, Column int
}

// String returns file:line:column, without the unknown parts.
func (p Position) String() string {
	if p.Line == 0 {
		return p.File
	}
	place := strconv.Itoa(p.Line) + ":" + strconv.Itoa(p.Column)
	if p.File == "" {
		return place
	}
	return p.File + ":" + place
}

// Error is one problem in a document, with its position.
type Error struct {
	Position   Position
	Path       string // of the value, or of the mapping that holds the key; empty for the document itself
	Msg        string
	Suggestion string // what to write instead, as a phrase, or empty

	cause error
}

// Error returns, for example,
// clerkgate.yaml:12:5: rules[0].match: unknown key "pth" (did you mean "path"?)
//
// Secrets that are in the wrong place of the document are redacted.
func (e *Error) Error() string {
	text := redact.Text(e.Msg)
	if e.Path != "" {
		text = redact.Text(e.Path) + ": " + text
	}
	if at := e.Position.String(); at != "" {
		text = at + ": " + text
	}
	if e.Suggestion != "" {
		text += " (" + e.Suggestion + ")"
	}
	return text
}

// Unwrap returns the error that was located: the [PathError], or the error of a type that
// decodes itself. Nil for problems that this package found, and for secret fields.
func (e *Error) Unwrap() error { return e.cause }

// PathError is the error of a validator of the loaded struct, which knows the path of a problem
// but not its position. [Document.Locate] converts it to an [Error].
type PathError interface {
	error
	ConfigPath() string       // as for [Document.Position]
	ConfigMessage() string    // what is wrong, without the path
	ConfigSuggestion() string // what to write instead, as a phrase, or empty
}

// problems collects what is wrong. It keeps the first maxShown.
type problems struct {
	list  []error
	total int
}

func (p *problems) add(e error) {
	if p.total++; p.total <= maxShown {
		p.list = append(p.list, e)
	}
}

// full reports whether further problems would not be shown. Then their texts need not be made.
func (p *problems) full() bool { return p.total >= maxShown }

// err joins the problems; nil if there are none.
func (p *problems) err() error {
	if p.total <= maxShown {
		return join(p.list)
	}
	sortByPosition(p.list)
	last := p.list[len(p.list)-1].(*Error)
	more := fmt.Sprintf("%d more errors are not shown", p.total-maxShown)
	return errors.Join(append(p.list, &Error{Position: last.Position, Msg: more})...)
}

// join makes one error of many, sorted by position; errors without one come last, in their order.
func join(errs []error) error {
	if len(errs) == 1 {
		return errs[0]
	}
	sortByPosition(errs)
	return errors.Join(errs...)
}

func sortByPosition(errs []error) {
	slices.SortStableFunc(errs, func(a, b error) int {
		x, inDocument := a.(*Error)
		y, alsoInDocument := b.(*Error)
		switch {
		case inDocument && alsoInDocument:
			return cmp.Or(cmp.Compare(x.Position.Line, y.Position.Line), cmp.Compare(x.Position.Column, y.Position.Column))
		case inDocument:
			return -1
		case alsoInDocument:
			return 1
		}
		return 0
	})
}
