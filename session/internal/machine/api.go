package machine

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"

	"github.com/go-json-experiment/json"

	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session/internal/calls"
	"github.com/clerkgate/clerkgate/session/internal/machineid"
	"github.com/clerkgate/clerkgate/session/jwt"
)

// api asks Clerk's Backend API about opaque tokens.
//
// It does not use clerk-sdk-go, which has no call for OAuth access tokens. Its
// errors for the other two are the answer's text, or take the answer's word for
// the status, where bad tokens are told from outages by the status alone; and
// it reads JSON by names of any case, the last of them counting.
type api struct {
	client  *http.Client
	base    string
	secrets map[policy.TokenType]string
}

func newAPI(o Options) (*api, error) {
	if err := calls.CheckEndpoint(o.APIURL); err != nil {
		return nil, &policy.ConfigError{Path: "clerk.api_url", Msg: err.Error()}
	}
	secrets := map[policy.TokenType]string{}
	for name, t := range tokenTypes {
		secrets[name] = t.secret(&o)
	}
	return &api{
		client:  calls.Client(o.HTTPClient),
		base:    o.APIURL,
		secrets: secrets,
	}, nil
}

// answer is what Clerk says of a token that it knows.
type answer struct {
	identity *machineid.Identity
	audience any
}

// verify asks about a token of the type. The error is an *[Error]; an outage
// tells nothing about the token. No error holds text of the token, of a secret
// or of an answer.
func (a *api) verify(ctx context.Context, token string, kind policy.TokenType) (*answer, error) {
	if a.secrets[kind] == "" {
		return nil, jwt.NewError(policy.ReasonSecretKeyInvalid, "there is no secret key to ask Clerk with")
	}
	ctx, cancel := context.WithTimeout(ctx, calls.Timeout)
	defer cancel()
	resp, err := a.post(ctx, token, kind)
	if err != nil {
		return nil, &jwt.Error{Reason: policy.ReasonClerkUnavailable, Err: fmt.Errorf("asking Clerk: %w", err)}
	}
	defer resp.Body.Close()
	if err := a.checkStatus(resp); err != nil {
		return nil, err
	}
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		return nil, &jwt.Error{Reason: policy.ReasonClerkUnavailable, Err: fmt.Errorf("reading Clerk's answer: %w", err)}
	}
	return readAnswer(body)
}

func (a *api) post(ctx context.Context, token string, kind policy.TokenType) (*http.Response, error) {
	how := tokenTypes[kind]
	body, err := json.Marshal(map[string]string{how.member: token})
	if err != nil {
		return nil, errors.New("the token is not text")
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, a.base+how.path, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	req.Header.Set("Accept", "application/json")
	req.Header.Set("Authorization", "Bearer "+a.secrets[kind])
	req.Header.Set("Clerk-API-Version", calls.APIVersion)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("User-Agent", "clerkgate")
	return a.client.Do(req)
}

// checkStatus tells bad tokens from outages. A refused secret key is the
// operator's concern: it says nothing about the token.
func (a *api) checkStatus(resp *http.Response) error {
	why := "Clerk answered " + strconv.Itoa(resp.StatusCode)
	switch status := resp.StatusCode; {
	case status == http.StatusOK:
		return nil
	case status == http.StatusNotFound:
		return jwt.NewError(policy.ReasonTokenInvalid, why)
	case status == http.StatusUnauthorized:
		return jwt.NewError(policy.ReasonSecretKeyInvalid, why)
	case status == http.StatusTooManyRequests, status == http.StatusRequestTimeout, status == http.StatusTooEarly:
		return jwt.NewError(policy.ReasonClerkUnavailable, why)
	case 400 <= status && status < 500:
		return jwt.NewError(policy.ReasonUnexpectedError, why)
	}
	return jwt.NewError(policy.ReasonClerkUnavailable, why)
}
