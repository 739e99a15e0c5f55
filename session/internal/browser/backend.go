package browser

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"time"

	"github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"
	"github.com/maypok86/otter/v2"
	"golang.org/x/sync/singleflight"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/fingerprint"
	"github.com/clerkgate/clerkgate/session/internal/weburl"
)

const (
	// maxRefusals bounds how many refusals are remembered, each of one size, and
	// refusalTime for how long.
	maxRefusals = 4096
	refusalTime = time.Minute
)

// backend asks Clerk's Backend API for the cookies of browsers.
//
// It does not use clerk-sdk-go, which has neither call; and whose errors are the
// answer's text, where what matters is the code of the first error.
type backend struct {
	client *http.Client
	base   string
	secret string
	// refused are nonces and pairs of tokens that Clerk gave nothing for, by their
	// digest: a browser keeps its cookies, and they are not asked about again for
	// a while.
	refused *otter.Cache[fingerprint.Sum, refusal]
	flight  singleflight.Group
}

// refusal is Clerk's word against something, and until when it counts.
type refusal struct {
	err   error
	until time.Time
}

func newBackend(o Options) *backend {
	return &backend{
		client: calls.Client(o.HTTPClient), base: o.APIURL + "/v1", secret: o.SecretKey,
		refused: otter.Must(&otter.Options[fingerprint.Sum, refusal]{MaximumSize: maxRefusals}),
	}
}

// handshakePayload exchanges a nonce for the cookies of a handshake. It can be
// exchanged once; requests that bring it at the same time share the answer.
func (b *backend) handshakePayload(ctx context.Context, nonce string, now time.Time) ([]string, error) {
	if b.secret == "" {
		return nil, errNoSecret
	}
	return b.cookies(ctx, fingerprint.Of(nonce), now, func(ctx context.Context) ([]string, error) {
		var payload struct {
			Directives []string `json:"directives"`
		}
		path := "/clients/handshake_payload?" + weburl.Form{{Name: "nonce", Value: nonce}}.Encode()
		err := b.call(ctx, http.MethodGet, path, nil, &payload)
		return payload.Directives, err
	})
}

// refresh asks for a new token of a session, once for all requests that bring the
// same two tokens at the same time. The id goes into the path as it is.
func (b *backend) refresh(ctx context.Context, id string, suffixed bool, asked refreshRequest, now time.Time) ([]string, error) {
	path := "/sessions/" + id + "/refresh"
	if suffixed {
		path += "?suffixed_cookies=true"
	}
	body, err := json.Marshal(asked)
	if err != nil {
		return nil, errors.New("the request is not text")
	}
	return b.cookies(ctx, fingerprint.Of(asked.ExpiredToken+"\n"+asked.RefreshToken), now, func(ctx context.Context) ([]string, error) {
		var answer struct {
			Cookies []string `json:"cookies"`
		}
		err := b.call(ctx, http.MethodPost, path, body, &answer)
		return answer.Cookies, err
	})
}

// cookies asks for what can be had once. Clerk's word against it is remembered;
// that it had none, or no time, is not.
func (b *backend) cookies(ctx context.Context, id fingerprint.Sum, now time.Time, ask func(context.Context) ([]string, error)) ([]string, error) {
	if known, ok := b.refused.GetIfPresent(id); ok && now.Before(known.until) {
		return nil, known.err
	}
	done := b.flight.DoChan(string(id[:]), func() (any, error) {
		cookies, err := ask(context.WithoutCancel(ctx))
		if e, ok := errors.AsType[*calls.AnswerError](err); ok && calls.IsVerdict(e.Status) {
			b.refused.Set(id, refusal{err, now.Add(refusalTime)})
		}
		return cookies, err
	})
	select {
	case result := <-done:
		cookies, _ := result.Val.([]string)
		return cookies, result.Err
	case <-ctx.Done():
		return nil, fmt.Errorf("waiting for Clerk: %w", ctx.Err())
	}
}

// call asks and reads the answer. Its errors hold no text of either.
func (b *backend) call(ctx context.Context, method, path string, body []byte, answer any) error {
	ctx, cancel := context.WithTimeout(ctx, calls.Timeout)
	defer cancel()
	req, err := http.NewRequestWithContext(ctx, method, b.base+path, bytes.NewReader(body))
	if err != nil {
		return errors.New("the address of the Backend API is not well formed")
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+b.secret)
	req.Header.Set("Clerk-API-Version", calls.APIVersion)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "clerkgate")
	resp, err := b.client.Do(req)
	if err != nil {
		return calls.NoAnswer(err)
	}
	defer resp.Body.Close()
	data, err := io.ReadAll(resp.Body)
	if err != nil {
		return errors.New("the answer from Clerk broke off")
	}
	if resp.StatusCode >= http.StatusBadRequest {
		e := calls.ReadError(resp.StatusCode, data)
		if !e.JSON && resp.Header.Get("Content-Type") == "application/json" {
			return errors.New("the answer from Clerk is not well-formed JSON")
		}
		return e
	}
	if err := json.Unmarshal(data, answer); err != nil || jsontext.Value(bytes.TrimSpace(data)).Kind() == 'n' {
		return errors.New("the answer from Clerk is not well-formed JSON")
	}
	return nil
}

var errNoSecret = errors.New("exchanging a nonce needs the secret key")

// isNoVerdict reports whether an error says nothing about what was asked: Clerk
// had no answer, or not to that.
func isNoVerdict(err error) bool {
	e, answered := errors.AsType[*calls.AnswerError](err)
	return !errors.Is(err, errNoSecret) && (!answered || !calls.IsVerdict(e.Status))
}

// whyNotRefreshed is Clerk's word for a refresh that failed. A code of the
// Backend API is passed on as it is in reference mode alone: reasons are words
// of ours, and few.
func whyNotRefreshed(err error, verbatim bool) policy.Reason {
	e, ok := errors.AsType[*calls.AnswerError](err)
	switch {
	case !ok, len(e.Codes) > 0 && e.Codes[0] == "unexpected_error":
		return policy.ReasonExpiredRefreshFailed
	case !verbatim, len(e.Codes) == 0:
		return policy.ReasonExpiredRefreshRefused
	case e.Codes[0] == "":
		return policy.ReasonExpiredRefreshEmpty
	}
	return policy.ReasonRefreshPrefix + policy.Reason(e.Codes[0])
}
