package sessiontest

import (
	"os"
	"strconv"
)

// Iterations is how many random cases a test makes: few, or as many as
// CLERKGATE_ITERATIONS says.
func Iterations(few int) int {
	if n, err := strconv.Atoi(os.Getenv("CLERKGATE_ITERATIONS")); err == nil {
		return n
	}
	return few
}
