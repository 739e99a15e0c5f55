package calls

import (
	"regexp"
	"strings"
)

// IsPrintable reports whether text has at most so many bytes, all of them
// characters that print.
func IsPrintable(text string, most int) bool {
	return len(text) <= most && !strings.ContainsFunc(text, func(c rune) bool { return c <= ' ' || c > '~' })
}

// sessionID is the form of the ids that go into addresses of the Backend API.
var sessionID = regexp.MustCompile(`^sess_[A-Za-z0-9]{1,128}$`)

// APIVersion is the version of the Backend API that answers are read by.
const APIVersion = "2026-05-12"

// IsSessionID reports whether text has the form of a session's id, and nothing that would
// lead a call to another address.
func IsSessionID(text string) bool { return sessionID.MatchString(text) }
