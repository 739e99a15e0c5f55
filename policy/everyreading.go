package policy

import (
	"errors"
	"slices"
	"strings"

	"github.com/clerkgate/clerkgate/internal/target"
)

// maxEvaluations bounds how often an expression is evaluated for one request.
// Ordinary paths have one reading, and one more where it is not in lower case.
const maxEvaluations = 64

var errManyReadings = errors.New("the target can be read in too many ways for an expression")

// onEveryReading has a condition that looks at the target be true of all its
// readings, as they are and in lower case: what an upstream may serve. It is untrue
// if it is true of none, so that below "not" it is the same; of some alone, it
// cannot be decided.
func onEveryReading(c condition) condition {
	return func(s *subject) (truth, Reason, error) {
		result, reason, cause := undecided, ReasonExpressionFailed, errManyReadings
		first, evaluated := true, 0
		for t := range eachReading(s.target) {
			if evaluated++; evaluated > maxEvaluations {
				return undecided, ReasonExpressionFailed, errManyReadings
			}
			as := *s
			as.target = t
			switch now, r, err := c(&as); {
			case first:
				result, reason, cause, first = now, r, err, false
			case now != result:
				return undecided, ReasonExpressionFalse, err
			}
			if result == undecided {
				break
			}
		}
		return result, reason, cause
	}
}

// each yields the target with each of its readings alone, also in lower case, and
// with each of its queries.
func eachReading(t *target.Target) func(yield func(*target.Target) bool) {
	return func(yield func(*target.Target) bool) {
		if len(t.Readings) == 1 && t.SentQuery == nil && strings.ToLower(t.Readings[0]) == t.Readings[0] {
			yield(t)
			return
		}
		all := slices.Clone(t.Readings)
		for _, reading := range t.Readings {
			if lower := strings.ToLower(reading); !slices.Contains(all, lower) {
				all = append(all, lower)
			}
		}
		queries := []string{t.Query}
		if t.SentQuery != nil && *t.SentQuery != t.Query {
			queries = append(queries, *t.SentQuery)
		}
		for _, reading := range all {
			for _, query := range queries {
				one := *t
				one.Readings, one.Query, one.SentQuery = target.Readings{reading}, query, nil
				if !yield(&one) {
					return
				}
			}
		}
	}
}
