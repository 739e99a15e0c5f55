package calls

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"
)

// Timeout bounds one call to Clerk, answer included.
const Timeout = 3 * time.Second

var errBodyTooLong = errors.New("the answer is too long")

// Client returns a client for calls to Clerk that follows no redirect and gives up
// after [Timeout]. It shares the connections of base, which may be nil, and all
// of it with one that is bounded already.
func Client(base *http.Client) *http.Client {
	switch {
	case base == nil:
		base = http.DefaultClient
	case isBounded(base):
		return base
	}
	transport := base.Transport
	if transport == nil {
		transport = http.DefaultTransport
	}
	return &http.Client{
		Transport:     newTransport(transport),
		Timeout:       Timeout,
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}
}

// Get fetches a document. A secret key, where there is one, goes along. The error is an
// *[AnswerError] for every status but 200, with the address before it.
func Get(ctx context.Context, client *http.Client, url, secretKey string) ([]byte, error) {
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
		return nil, fmt.Errorf("%s: %w", req.URL.Redacted(), ReadError(resp.StatusCode, body))
	}
	return body, nil
}
