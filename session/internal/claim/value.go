package claim

import "time"

// Actor reads claim act: who is acting as the subject.
func Actor(claim any) string {
	if claim == nil {
		return ""
	}
	object, _ := claim.(map[string]any)
	if sub := Text(object, "sub"); sub != "" {
		return sub
	}
	return unknownActor
}

// unknownActor stands for an actor that claim act does not name: the session
// is impersonated all the same.
const unknownActor = "unknown"

// Instant returns a claim of Unix seconds as a time, kept within the years that
// have four digits; the zero time where it is none.
func Instant(claim any) time.Time {
	seconds, ok := claim.(float64)
	if !ok {
		return time.Time{}
	}
	return time.UnixMilli(int64(max(0, min(seconds, MaxInstant)) * 1000))
}

// Text returns a member that is text, else "".
func Text(object map[string]any, name string) string {
	s, _ := object[name].(string)
	return s
}

// Texts returns the texts of a list; nil where it is none.
func Texts(claim any) []string {
	list, ok := claim.([]any)
	if !ok {
		return nil
	}
	out := make([]string, 0, len(list))
	for _, element := range list {
		if s, ok := element.(string); ok {
			out = append(out, s)
		}
	}
	return out
}

// IsIdentifier reports whether v is the text of an id: 1 to 255 characters that
// are safe in headers, paths and logs.
func IsIdentifier(v any) bool {
	text, ok := v.(string)
	if !ok || len(text) == 0 || len(text) > 255 {
		return false
	}
	for _, c := range []byte(text) {
		switch {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '_', c == '-', c == '.', c == ':', c == '@', c == '|':
		default:
			return false
		}
	}
	return true
}

// MaxInstant is the end of year 9999, in Unix seconds.
const MaxInstant = 253402300799
