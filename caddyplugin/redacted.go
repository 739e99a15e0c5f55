package caddyplugin

import "github.com/clerkgate/clerkgate/internal/redact"

// redactedError is an error whose text is redacted: Caddy's messages repeat what the
// Caddyfile has, and a secret may be in the wrong place there.
type redactedError struct{ err error }

// withoutSecrets redacts the text of an error; nil stays nil.
func withoutSecrets(err error) error {
	if err == nil {
		return nil
	}
	return redactedError{err}
}

// Error implements [error].
func (e redactedError) Error() string { return redact.Text(e.err.Error()) }

// Unwrap returns the error that is redacted.
func (e redactedError) Unwrap() error { return e.err }
