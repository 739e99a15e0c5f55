package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strings"

	"github.com/clerkgate/clerkgate/internal/sessionpage"
	"github.com/clerkgate/clerkgate/policy"
)

// url is that of the page.
func (b *browser) url() *url.URL {
	u, err := url.Parse(b.page)
	if err != nil {
		panic(err) // the pages are those of the demo
	}
	return u
}

// app is the origin of the page.
func (b *browser) app() string { return b.url().Scheme + "://" + b.url().Host }

// listSessions asks the session page for the sessions of the user, of which the first
// is the browser's own.
func listSessions(ctx context.Context, b *browser, s *stack) (answer, error) {
	if b.token = b.sessionToken(); b.token == "" {
		return answer{}, errors.New("the browser has no session token")
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.app()+sessionpage.DefaultPrefix, nil)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept", "application/json")
	response, err := b.client.Do(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	got := answer{status: response.StatusCode}
	if got.status != http.StatusOK {
		return got, errors.New("another status")
	}
	var listing sessionpage.Listing
	if err := json.NewDecoder(response.Body).Decode(&listing); err != nil {
		return got, err
	}
	own := s.clerk.SessionOf(b.token)
	if own == nil || len(listing.Sessions) == 0 || !listing.Sessions[0].Current || listing.Sessions[0].ID != own.ID {
		return got, fmt.Errorf("the browser's own session is not the first of %d", len(listing.Sessions))
	}
	return got, nil
}

// sessionToken is the token among the cookies of the page; empty for none.
func (b *browser) sessionToken() string {
	for _, c := range b.client.Jar.Cookies(b.url()) {
		if strings.HasPrefix(c.Name, "__session") {
			return c.Value
		}
	}
	return ""
}

// signOut presses the button of the session page, and is signed out.
func signOut(ctx context.Context, b *browser, _ *stack) (answer, error) {
	page := b.app() + sessionpage.DefaultPrefix
	got, err := b.send(ctx, page+"/sign-out", nil, b.app())
	switch {
	case err != nil:
	case got.at != page+"/signed-out":
		err = fmt.Errorf("sent to %q", got.at)
	case b.sessionToken() != "":
		err = errors.New("the browser still has a session token")
	}
	return got, err
}

// useOldToken is somebody who has kept the token of the session that was signed out,
// which has not expired.
func useOldToken(ctx context.Context, b *browser, _ *stack) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodGet, b.page, nil)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Authorization", "Bearer "+b.token)
	response, err := http.DefaultTransport.RoundTrip(r)
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	if why := response.Header.Get("WWW-Authenticate"); !strings.Contains(why, string(policy.ReasonSessionRevoked)) {
		err = fmt.Errorf("refused for %q", why)
	}
	return answer{status: response.StatusCode}, err
}
