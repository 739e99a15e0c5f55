package main

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/cookiejar"
	"net/url"
	"strings"

	"github.com/clerkgate/clerkgate/policy"
)

// signInAndBack does what a browser does that opens a page signed out: it is
// sent to the sign-in page, signs in there, is sent back, and reaches the page.
func signInAndBack(ctx context.Context, page, user string) (answer, error) {
	jar, err := cookiejar.New(nil)
	if err != nil {
		return answer{}, err
	}
	client := &http.Client{Timeout: patience, CheckRedirect: stay, Jar: jar}
	html := []policy.Header{{Name: "Accept", Value: "text/html"}}
	away, err := get(ctx, client, page, html)
	if err == nil && away.status != http.StatusTemporaryRedirect {
		err = errors.New("not sent to sign in")
	}
	if err != nil {
		return away, err
	}
	shown, err := get(ctx, client, away.location, html)
	if err == nil && shown.status != http.StatusOK {
		err = errors.New("there is no sign-in page")
	}
	if err != nil {
		return shown, err
	}
	back, err := submit(ctx, client, away.location, user)
	if err == nil && back.location != page {
		err = fmt.Errorf("not sent back, but to %q", back.location)
	}
	if err != nil {
		return back, err
	}
	there, err := get(ctx, client, back.location, nil)
	if err == nil && there.identity != user {
		err = fmt.Errorf("the app should see %q", user)
	}
	return there, err
}

// submit presses a button of the sign-in page.
func submit(ctx context.Context, client *http.Client, page, user string) (answer, error) {
	u, err := url.Parse(page)
	if err != nil {
		return answer{}, err
	}
	form := url.Values{"user": {user}, "redirect_url": {u.Query().Get("redirect_url")}}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, page, strings.NewReader(form.Encode()))
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	return read(client.Do(r))
}
