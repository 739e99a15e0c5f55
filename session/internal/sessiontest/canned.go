package sessiontest

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

// Answer is a canned answer of the Backend API.
type Answer struct {
	Method, Path, BodyText string
	Status                 int
	Body                   json.RawMessage
	NetworkError           bool
}

// Call is a call that was made of it.
type Call struct {
	Method, Path, Query, Authorization string
	Body                               any
}

// Canned answers as a vector says, and keeps what it was asked.
type Canned struct {
	Answers []Answer
	Mu      sync.Mutex
	Calls   []Call
}

// RoundTrip implements [http.RoundTripper].
func (b *Canned) RoundTrip(r *http.Request) (*http.Response, error) {
	call := Call{r.Method, r.URL.Path, r.URL.RawQuery, r.Header.Get("Authorization"), nil}
	if r.ContentLength > 0 {
		if err := json.NewDecoder(r.Body).Decode(&call.Body); err != nil {
			return nil, err
		}
	}
	b.Mu.Lock()
	b.Calls = append(b.Calls, call)
	b.Mu.Unlock()
	status, body := http.StatusNotFound, `{"errors":[{"code":"resource_not_found"}]}`
	for _, a := range b.Answers {
		if a.Method != r.Method || a.Path != r.URL.Path {
			continue
		}
		if a.NetworkError {
			return nil, errors.New("connection reset")
		}
		status, body = a.Status, cmp.Or(a.BodyText, string(a.Body))
		break
	}
	return &http.Response{StatusCode: status, Header: http.Header{}, Body: io.NopCloser(strings.NewReader(body)), Request: r}, nil
}

// AboutTokens returns what was asked about tokens, each once.
func AboutTokens(calls []Call) []Call {
	var out []Call
	for _, c := range calls {
		if c.Path != "/v1/jwks" && !slices.ContainsFunc(out, func(o Call) bool { return reflect.DeepEqual(o, c) }) {
			out = append(out, c)
		}
	}
	return out
}

// Asked returns the calls to a path.
func (b *Canned) Asked(path string) []Call {
	b.Mu.Lock()
	defer b.Mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.Calls), func(c Call) bool { return c.Path != path })
}
