// Package suggest finds the word that was probably meant by a misspelt one.
package suggest

import (
	"strconv"
	"strings"

	"github.com/agnivade/levenshtein"
)

// Nearest returns the known word that was probably meant by another: at most two
// changes away, or a third of its length, and with something in common; "" for none.
// Upper and lower case do not count. Of two that are as near the first in the
// alphabet is returned.
func Nearest(word string, known ...string) string {
	best, least := "", max(2, len(word)/3)+1
	for _, candidate := range known {
		if n := len(candidate) - len(word); n >= least || -n >= least {
			continue
		}
		distance := levenshtein.ComputeDistance(strings.ToLower(word), strings.ToLower(candidate))
		if distance < min(len(word), len(candidate)) && (distance < least || distance == least && candidate < best) {
			best, least = candidate, distance
		}
	}
	return best
}

// DidYouMean offers the known word that was probably meant; "" for none.
func DidYouMean(word string, known ...string) string {
	if nearest := Nearest(word, known...); nearest != "" {
		return "did you mean " + strconv.Quote(nearest) + "?"
	}
	return ""
}

// OneOf is [DidYouMean], and lists the known words where none is near.
func OneOf(word string, known ...string) string {
	if suggestion := DidYouMean(word, known...); suggestion != "" {
		return suggestion
	}
	return "known are " + strings.Join(known, ", ")
}
