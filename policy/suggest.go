package policy

import (
	"strconv"

	"github.com/clerkgate/clerkgate/internal/suggest"
)

func quoted(s string) string { return strconv.Quote(s) }

// didYouMean suggests the known word nearest to a misspelt one, or lists them
// where none is near.
func didYouMean(word string, known ...string) string { return suggest.OneOf(word, known...) }
