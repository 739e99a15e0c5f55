package joined

import (
	"errors"
	"fmt"
	"slices"
	"testing"
)

func TestJoinedErrorsComeApart(t *testing.T) {
	t.Parallel()
	a, b, c := errors.New("a"), errors.New("b"), errors.New("c")
	wrapped := fmt.Errorf("within: %w", errors.Join(b, c))
	for name, x := range map[string]struct {
		err  error
		want []error
	}{
		"none":          {nil, nil},
		"one":           {a, []error{a}},
		"some":          {errors.Join(a, errors.Join(b, nil, c)), []error{a, b, c}},
		"what is whole": {errors.Join(a, wrapped), []error{a, wrapped}},
	} {
		if got := Each(x.err); !slices.Equal(got, x.want) {
			t.Errorf("%s: %v", name, got)
		}
	}
}
