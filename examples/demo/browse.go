package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

// browser does what a browser does: it keeps cookies and goes where it is sent.
type browser struct {
	client     *http.Client
	page, user string
	// token is the session token from before the browser signed out.
	token string
}

// step is what a browser does once it is signed in.
type step struct {
	what string
	take func(ctx context.Context, b *browser, s *stack) (answer, error)
	want int
}

// steps are taken one after the other, by one browser.
var steps = []step{
	{"reload later", reloadLater, http.StatusOK},
	{"its sessions", listSessions, http.StatusOK},
	{"sign out", signOut, http.StatusOK},
	{"its old token", useOldToken, http.StatusUnauthorized},
}

// signInAndBack opens a page signed out, signs in where that leads, and is back
// on the page.
func signInAndBack(ctx context.Context, page, user string) (*browser, answer, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return nil, answer{}, err
	}
	b := &browser{client: &http.Client{Timeout: patience, Jar: jar}, page: page, user: user}
	away, err := b.open(ctx)
	if err == nil && (away.status != http.StatusOK || !strings.Contains(away.at, "/sign-in?")) {
		err = fmt.Errorf("not sent to sign in, but to %q", away.at)
	}
	if err != nil {
		return nil, away, err
	}
	back, err := b.submit(ctx, away.at)
	if err == nil && back.at != page {
		err = fmt.Errorf("not sent back, but to %q", back.at)
	}
	if err != nil {
		return nil, back, err
	}
	there, err := b.arrive(ctx)
	return b, there, err
}

// open loads the page as browsers do.
func (b *browser) open(ctx context.Context) (answer, error) {
	return get(ctx, b.client, b.page, []policy.Header{{Name: "Accept", Value: "text/html"}, {Name: "Sec-Fetch-Dest", Value: "document"}})
}

// arrive asks the page, by a script of its own, who the app thinks is there.
func (b *browser) arrive(ctx context.Context) (answer, error) {
	there, err := get(ctx, b.client, b.page, nil)
	if err == nil && there.identity != b.user {
		err = fmt.Errorf("the app should see %q", b.user)
	}
	return there, err
}

// reloadLater loads the page again when the minute that its token holds is over,
// and is still signed in.
func reloadLater(ctx context.Context, b *browser, s *stack) (answer, error) {
	if err := b.expire(s); err != nil {
		return answer{}, err
	}
	again, err := b.open(ctx)
	if err == nil && again.at != b.page {
		err = fmt.Errorf("sent to %q", again.at)
	}
	if err != nil {
		return again, err
	}
	return b.arrive(ctx)
}

// expire leaves the browser with the session's token as it will be in an hour.
func (b *browser) expire(s *stack) error {
	u := b.url()
	found := false
	for _, c := range b.client.Jar.Cookies(u) {
		value := "1" // of __client_uat: before the token was minted
		if strings.HasPrefix(c.Name, "__session") {
			found = true
			value = s.clerk.Mint(s.clerk.SessionOf(c.Value), clerktest.Token{Age: time.Hour, Claims: map[string]any{"azp": b.app()}})
		} else if !strings.HasPrefix(c.Name, "__client_uat") {
			continue
		}
		b.client.Jar.SetCookies(u, []*http.Cookie{{Name: c.Name, Value: value, Path: "/"}})
	}
	if !found {
		return errors.New("the browser has no session token")
	}
	return nil
}

// submit presses a button of the sign-in page.
func (b *browser) submit(ctx context.Context, page string) (answer, error) {
	return b.send(ctx, page, url.Values{"user": {b.user}}, "")
}

// send sends a form, as browsers do that is on a page of origin, where it has one.
func (b *browser) send(ctx context.Context, page string, form url.Values, origin string) (answer, error) {
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	r.Header.Set("Accept", "text/html")
	r.Header.Set("Sec-Fetch-Dest", "document")
	if origin != "" {
		r.Header.Set("Origin", origin)
	}
	return read(b.client.Do(r))
}
