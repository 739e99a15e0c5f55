package caddyplugin

import "github.com/clerkgate/clerkgate/internal/redact"

// redactedError says what an error does, without secrets: Caddy's messages, too,
// repeat what was written, and a secret may have been written in the wrong place.
type redactedError struct{ err error }

// withoutSecrets wraps an error, if it is one.
func withoutSecrets(err error) error {
	if err == nil {
		return nil
	}
	return redactedError{err}
}

// Error implements [error].
func (e redactedError) Error() string { return redact.Text(e.err.Error()) }

// Unwrap returns what it wraps.
func (e redactedError) Unwrap() error { return e.err }
