// Package fingerprint names tokens, so that what is remembered of one is found without
// keeping the token.
package fingerprint
