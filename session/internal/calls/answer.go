package calls

import (
	"errors"
	"fmt"
	"net/http"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
)

// AnswerError is an answer that is an error.
type AnswerError struct {
	Status int
	// Codes are Clerk's words for it, of which the first counts.
	Codes []string
	// JSON says that the answer is JSON.
	JSON bool
}

// Error returns the status. No text of the answer is in it.
func (e *AnswerError) Error() string { return fmt.Sprintf("Clerk answered %d", e.Status) }

// ReadError reads an answer that is an error, and the codes of the errors in it, which
// may be none.
func ReadError(status int, data []byte) *AnswerError {
	var answer struct {
		Errors []struct {
			Code string `json:"code"`
		} `json:"errors"`
	}
	e := &AnswerError{Status: status, JSON: jsontext.Value(data).IsValid()}
	if json.Unmarshal(data, &answer) != nil {
		return e
	}
	for _, said := range answer.Errors {
		e.Codes = append(e.Codes, said.Code)
	}
	return e
}

// NoAnswer is the error of a client without what was asked, which the client puts into
// its own: why no call was made, where that is why.
func NoAnswer(err error) error {
	for _, why := range []error{errQuiet, errFull, errSpent, errFailing} {
		if errors.Is(err, why) {
			return why
		}
	}
	return errors.New("no answer from Clerk")
}

// IsVerdict reports whether a status that is an error (RFC 9110 § 15.5) is about what was
// asked, and not about the one who asks or the time.
func IsVerdict(status int) bool {
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusRequestTimeout, http.StatusTooEarly, http.StatusTooManyRequests:
		return false
	}
	return 400 <= status && status < 500
}
