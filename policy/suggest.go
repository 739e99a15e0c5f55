package policy

import (
	"slices"
	"strconv"

	"github.com/agnivade/levenshtein"
)

func quoted(s string) string { return strconv.Quote(s) }

// didYouMean suggests the known word nearest to a misspelt one, or lists them
// where none is near.
func didYouMean(word string, known ...string) string {
	nearest := slices.MinFunc(known, func(a, b string) int {
		return levenshtein.ComputeDistance(word, a) - levenshtein.ComputeDistance(word, b)
	})
	if levenshtein.ComputeDistance(word, nearest) <= max(2, len(word)/3) {
		return "did you mean " + quoted(nearest) + "?"
	}
	list := ""
	for i, k := range known {
		if i > 0 {
			list += ", "
		}
		list += k
	}
	return "known are " + list
}
