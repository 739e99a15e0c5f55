package conformance

import (
	"cmp"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
)

// backendAnswer is a canned answer of Clerk's Backend API.
type backendAnswer struct {
	Method       string          `json:"method,omitempty"`
	Path         string          `json:"path,omitempty"`
	Status       int             `json:"status,omitempty"`
	Body         json.RawMessage `json:"body,omitempty"`
	BodyText     *string         `json:"bodyText,omitempty"`
	ContentType  string          `json:"contentType,omitempty"`
	NetworkError bool            `json:"networkError,omitempty"`
}

// backendCall is a call that was made.
type backendCall struct {
	Method        string `json:"method"`
	Path          string `json:"path"`
	Query         string `json:"query"`
	Authorization string `json:"authorization"`
	Body          any    `json:"body"`
}

// cannedBackend answers as a vector says, and keeps what it was asked.
type cannedBackend struct {
	answers []backendAnswer
	mu      sync.Mutex
	calls   []backendCall
}

const notFound = `{"errors":[{"message":"not found","long_message":"not found","code":"resource_not_found"}]}`

// RoundTrip implements [http.RoundTripper].
func (b *cannedBackend) RoundTrip(r *http.Request) (*http.Response, error) {
	call := backendCall{Method: r.Method, Path: r.URL.EscapedPath(), Authorization: r.Header.Get("Authorization")}
	if r.URL.RawQuery != "" {
		call.Query = "?" + r.URL.RawQuery
	}
	if r.ContentLength > 0 {
		if err := json.NewDecoder(r.Body).Decode(&call.Body); err != nil {
			return nil, err
		}
	}
	b.mu.Lock()
	b.calls = append(b.calls, call)
	b.mu.Unlock()
	i := slices.IndexFunc(b.answers, func(a backendAnswer) bool { return a.Method == call.Method && a.Path == call.Path })
	switch {
	case i < 0:
		return response(r, http.StatusNotFound, "application/json", notFound), nil
	case b.answers[i].NetworkError:
		return nil, errors.New("connection reset")
	}
	a := b.answers[i]
	body := string(a.Body)
	if a.BodyText != nil {
		body = *a.BodyText
	}
	return response(r, a.Status, cmp.Or(a.ContentType, "application/json"), body), nil
}

func response(r *http.Request, status int, contentType, body string) *http.Response {
	return &http.Response{
		StatusCode: status, Header: http.Header{"Content-Type": {contentType}},
		Body: io.NopCloser(strings.NewReader(body)), ContentLength: int64(len(body)), Request: r,
	}
}

// sameCalls compares sets: repeats do not count, nor do further requests for
// the key set.
func sameCalls(got, want []backendCall) bool {
	covers := func(all, some []backendCall, free string) bool {
		return !slices.ContainsFunc(some, func(c backendCall) bool {
			return c.Path != free && !slices.ContainsFunc(all, func(o backendCall) bool { return reflect.DeepEqual(c, o) })
		})
	}
	got, want = comparedCalls(got), comparedCalls(want)
	return covers(got, want, "") && covers(want, got, "/v1/jwks")
}

// comparedCalls leaves out what is not compared of the headers that a refresh
// passes on: the HTTP stack of the recording added its own.
func comparedCalls(calls []backendCall) []backendCall {
	out := slices.Clone(calls)
	for _, c := range out {
		body, ok := c.Body.(map[string]any)
		if !ok {
			continue
		}
		if headers, ok := body["request_headers"].(map[string]any); ok {
			delete(headers, "host")
		}
	}
	return out
}
