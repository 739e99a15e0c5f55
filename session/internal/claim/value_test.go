package claim

import (
	"testing"
	"time"
)

func TestInstantKeepsToYearsOfFourDigits(t *testing.T) {
	t.Parallel()
	now := time.Unix(1_750_000_000, 0)
	for name, tt := range map[string]struct {
		claim any
		want  time.Time
	}{
		"absent":        {nil, time.Time{}},
		"text":          {"1750000000", time.Time{}},
		"seconds":       {float64(1750000000), now},
		"a fraction":    {1750000000.25, now.Add(250 * time.Millisecond)},
		"before 1970":   {float64(-5), time.Unix(0, 0)},
		"out of bounds": {1e300, time.Unix(MaxInstant, 0)},
	} {
		if got := Instant(tt.claim); !got.Equal(tt.want) {
			t.Errorf("%s: %v, want %v", name, got, tt.want)
		}
	}
}
