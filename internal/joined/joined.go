// Package joined takes errors apart that say at once everything that is wrong.
package joined

// Each takes joined errors apart: one error for each problem, in order; none for
// nil. A problem that wraps a joined error stays whole, with what it says around it.
func Each(err error) []error {
	if err == nil {
		return nil
	}
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, inner := range joined.Unwrap() {
		all = append(all, Each(inner)...)
	}
	return all
}
