package session

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

const (
	// callTimeout bounds one call to Clerk, answer included.
	callTimeout = 3 * time.Second
	// maxBody bounds the body of an answer, in bytes.
	maxBody = 256 << 10
)

var errBodyTooLong = errors.New("the answer is longer than 256 KiB")

// boundedClient returns a client for calls to Clerk that follows no redirect,
// gives up after [callTimeout] and reads at most [maxBody] of an answer. It
// shares the connections of base, which may be nil.
func boundedClient(base *http.Client) *http.Client {
	if base == nil {
		base = http.DefaultClient
	}
	transport := base.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{
		Transport:     boundedTransport{transport},
		Timeout:       callTimeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// boundedTransport caps the bodies of answers. Longer ones are errors, not cut.
type boundedTransport struct{ next http.RoundTripper }

func (t boundedTransport) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := t.next.RoundTrip(r)
	if err == nil {
		resp.Body = &boundedBody{resp.Body, maxBody}
	}
	return resp, err
}

type boundedBody struct {
	io.ReadCloser
	left int
}

func (b *boundedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if n > b.left {
		return b.left, errBodyTooLong
	}
	b.left -= n
	return n, err
}

// get fetches a document. A secret key, where there is one, goes along.
func get(ctx context.Context, client *http.Client, url, secretKey string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("User-Agent", "clerkgate")
	if secretKey != "" {
		req.Header.Set("Authorization", "Bearer "+secretKey)
	}
	resp, err := client.Do(req)
	if err != nil {
		return nil, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, err
	}
	if resp.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("%s: %w", req.URL.Redacted(), readBackendError(resp.StatusCode, body))
	}
	return body, nil
}
