package sessionpage

import (
	"bytes"
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/base64"
	"fmt"
	"html/template"
	"net/http"
	"slices"
	"strings"
	"time"
)

var (
	//go:embed page.html
	pageText string
	//go:embed page.css
	pageStyle string

	pages = template.Must(template.New("page").Parse(pageText))
)

// contentSecurityPolicy returns the Content-Security-Policy of the page, which allows
// only its own style and its own forms. form-action also applies to redirects of a form,
// so it names the origins to which signing out may redirect.
func contentSecurityPolicy(o *Options) string {
	style := sha256.Sum256([]byte(pageStyle))
	targets := []string{"'self'"}
	for _, location := range []string{o.SignedOutURL, o.Instance.SignInURL} {
		if origin, ok := originOf(location); ok && !slices.Contains(targets, origin) {
			targets = append(targets, origin)
		}
	}
	return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action %s; frame-ancestors 'none'; base-uri 'none'",
		base64.StdEncoding.EncodeToString(style[:]), strings.Join(targets, " "))
}

// doneRevoked is the value of the parameter done after a session was ended.
const doneRevoked = "revoked"

// shown is the data of the templates.
type shown struct {
	Style  template.CSS
	Prefix string
	Body   any
	// Done: a session has just been ended.
	Done bool
	// SignInURL is the sign-in page.
	SignInURL string
}

// isAfter reports whether the browser was redirected here after the action that the
// query names. Links on other sites do not count.
func (q *pageRequest) isAfter(done string) bool {
	from := q.r.Header.Get("Sec-Fetch-Site")
	return (from == "" || from == "same-origin") && q.r.URL.Query().Get("done") == done
}

// answerList answers with the list.
func (q *pageRequest) answerList(l Listing) {
	if q.html {
		q.writePage(http.StatusOK, "list", q.cards(l))
		return
	}
	q.writeJSON(http.StatusOK, l)
}

// signedOut answers with the page after signing out. It needs no user.
func signedOut(_ context.Context, q *pageRequest) {
	if q.html {
		q.writePage(http.StatusOK, "signed-out", nil)
		return
	}
	q.writeJSON(http.StatusOK, Ended{Revoked: []string{}, SignedOut: true})
}

func (q *pageRequest) writePage(status int, name string, body any) {
	data := shown{Style: template.CSS(pageStyle), Prefix: q.prefix, Body: body,
		Done: q.isAfter(doneRevoked), SignInURL: q.options.Instance.SignInURL}
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		q.options.Logger.Error("session page", "error", err)
		http.Error(q.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	q.setPrivateHeaders()
	q.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	q.w.WriteHeader(status)
	if q.r.Method != http.MethodHead {
		_, _ = q.w.Write(page.Bytes()) // the browser may be gone
	}
}

// cards are the sessions of a listing, as the page shows them.
type cards struct {
	Here, Others      []card
	More              bool
	AccountChooserURL string
}

// card is one session on the page.
type card struct {
	Session
	Prefix string
	// Used says how long ago the session was last active: the user's time zone is not in
	// the request.
	Used string
}

func (q *pageRequest) cards(l Listing) cards {
	c := cards{More: l.More, AccountChooserURL: l.AccountChooserURL}
	for _, s := range l.Sessions {
		of := &c.Others
		if s.Current {
			of = &c.Here
		}
		*of = append(*of, card{s, q.prefix, ago(q.options.Now().Sub(s.LastActiveAt))})
	}
	return c
}

// ago returns a duration as text: "5 minutes ago".
func ago(d time.Duration) string {
	switch {
	case d < time.Minute:
		return "just now"
	case d < time.Hour:
		return count(int(d/time.Minute), "minute")
	case d < 24*time.Hour:
		return count(int(d/time.Hour), "hour")
	default:
		return count(int(d/(24*time.Hour)), "day")
	}
}

func count(n int, unit string) string {
	if n == 1 {
		return "1 " + unit + " ago"
	}
	return fmt.Sprintf("%d %ss ago", n, unit)
}
