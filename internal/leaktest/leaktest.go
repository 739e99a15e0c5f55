// Package leaktest looks for secrets in what programs say, for tests: as they are, and
// in the encodings in which URLs, logs and headers have them.
package leaktest

import (
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"net/url"
	"slices"
	"strconv"
	"strings"
)

// Secrets are texts that nobody may say, by what they are.
type Secrets map[string]string

// In lists what of the secrets a text has, sorted.
func (s Secrets) In(text string) []string {
	var found []string
	for name, secret := range s {
		if slices.ContainsFunc(spellings(secret), func(spelt string) bool { return strings.Contains(text, spelt) }) {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	return found
}

// Line is the first line of a text that has a secret, or all of it.
func (s Secrets) Line(text string) string {
	for line := range strings.Lines(text) {
		if len(s.In(line)) > 0 {
			return line
		}
	}
	return text
}

// spellings are a secret as it is and in other encodings.
func spellings(secret string) []string {
	quoted, _ := json.Marshal(secret) // a text
	forms := []string{secret, url.QueryEscape(secret), url.PathEscape(secret), strings.Trim(string(quoted), `"`), strings.Trim(strconv.Quote(secret), `"`), hex.EncodeToString([]byte(secret))}
	for _, encoding := range []*base64.Encoding{base64.StdEncoding, base64.URLEncoding} {
		for before := range 3 { // wherever in the encoded text it begins
			encoded := encoding.EncodeToString([]byte(strings.Repeat("x", before) + secret + "xxx"))
			first, last := (before*8+5)/6, (before+len(secret))*8/6
			forms = append(forms, encoded[first:last])
		}
	}
	return forms
}

// Signature is the part of a token in JWT form that makes it one.
func Signature(token string) string { return token[strings.LastIndexByte(token, '.')+1:] }
