package pathpattern

import (
	"errors"
	"fmt"
)

// ErrTimeout is returned by Match and Params when the backtracking engine gave
// up on a path, for time or memory. The caller denies.
var ErrTimeout = errors.New("matching the path took too long")

// ErrMalformed is returned by Normalize for a path that cannot be decoded.
var ErrMalformed = errors.New("malformed encoding in path")

// SyntaxError says why a pattern cannot be used, and what to write instead.
type SyntaxError struct {
	Pattern    string
	Offset     int    // in bytes of Pattern
	Msg        string // what is wrong there
	Suggestion string // a pattern that was probably meant; "" when there is none to offer
}

func (e *SyntaxError) Error() string {
	msg := fmt.Sprintf("path pattern %q, at %d: %s", e.Pattern, e.Offset, e.Msg)
	if e.Suggestion != "" {
		msg += "; write " + e.Suggestion
	}
	return msg
}
