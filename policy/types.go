package policy

import (
	"encoding/json"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/redact"
)

// StringList is a list that may be written as a single string.
type StringList []string

// UnmarshalJSON reads a string or a list of strings. Empty strings and empty
// lists are errors: what is asked must be something.
func (l *StringList) UnmarshalJSON(data []byte) error {
	var one string
	if err := json.Unmarshal(data, &one); err == nil && string(data) != "null" {
		*l = StringList{one}
	} else {
		var many []string
		if err := json.Unmarshal(data, &many); err != nil || many == nil {
			return errors.New("expected a string or a list of strings")
		}
		*l = many
	}
	if len(*l) == 0 {
		return errors.New("the list is empty; remove the key or name something")
	}
	for _, s := range *l {
		if s == "" {
			return errors.New("an empty string asks for nothing; remove it or name something")
		}
	}
	return nil
}

// MarshalJSON writes a single element as a string.
func (l StringList) MarshalJSON() ([]byte, error) {
	if len(l) == 1 {
		return json.Marshal(l[0])
	}
	return json.Marshal([]string(l))
}

// Duration is a length of time written with its unit: "10s", "5m", "1h30m" or
// "7d".
type Duration time.Duration

// UnmarshalJSON reads a duration with a unit.
func (d *Duration) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return errors.New(`write a duration with its unit, such as "10s"`)
	}
	parsed, err := ParseDuration(s)
	if err != nil {
		return err
	}
	*d = parsed
	return nil
}

// ParseDuration reads a positive duration with a unit; beside Go's units it
// knows "d" for 24 hours.
func ParseDuration(s string) (Duration, error) {
	if days, ok := strings.CutSuffix(s, "d"); ok {
		if n, err := strconv.ParseFloat(days, 64); err == nil {
			s = time.Duration(n * float64(24*time.Hour)).String()
		}
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return 0, fmt.Errorf(`%s is not a duration; write it with its unit, such as "10s" or "5m"`, redact.Text(strconv.Quote(s)))
	}
	if v <= 0 {
		return 0, fmt.Errorf("%q is not a positive duration", s)
	}
	return Duration(v), nil
}

// MarshalJSON writes the duration in Go's form.
func (d Duration) MarshalJSON() ([]byte, error) {
	return json.Marshal(time.Duration(d).String())
}

// Std returns d as a time.Duration.
func (d Duration) Std() time.Duration { return time.Duration(d) }
