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

// contentSecurity lets the page do nothing but show its own style and send its
// forms here. What a form leads to counts as well, so the pages that signing out
// may end at are named.
func contentSecurity(o *Options) string {
	style := sha256.Sum256([]byte(pageStyle))
	targets := []string{"'self'"}
	for _, location := range []string{o.SignedOutURL, o.Instance.SignInURL} {
		if origin, ok := webOrigin(location); ok && !slices.Contains(targets, origin) {
			targets = append(targets, origin)
		}
	}
	return fmt.Sprintf("default-src 'none'; style-src 'sha256-%s'; form-action %s; frame-ancestors 'none'; base-uri 'none'",
		base64.StdEncoding.EncodeToString(style[:]), strings.Join(targets, " "))
}

// doneRevoked is what a page reports that follows on ending a session.
const doneRevoked = "revoked"

// shown is what the templates are given.
type shown struct {
	Style  template.CSS
	Prefix string
	Body   any
	// Done: a session has just been ended.
	Done bool
	// SignInURL is where to sign in again.
	SignInURL string
}

// followsOn reports whether the browser was led here after what the query says
// was done. A link on another site says nothing.
func (v *visit) followsOn(done string) bool {
	from := v.r.Header.Get("Sec-Fetch-Site")
	return (from == "" || from == "same-origin") && v.r.URL.Query().Get("done") == done
}

// show answers with the list.
func (v *visit) show(l Listing) {
	if v.page {
		v.writePage(http.StatusOK, "list", v.cards(l))
		return
	}
	v.writeJSON(http.StatusOK, l)
}

// signedOut says that signing out is done. It knows nobody.
func signedOut(_ context.Context, v *visit) {
	if v.page {
		v.writePage(http.StatusOK, "signed-out", nil)
		return
	}
	v.writeJSON(http.StatusOK, Ended{Revoked: []string{}, SignedOut: true})
}

func (v *visit) writePage(status int, name string, body any) {
	data := shown{Style: template.CSS(pageStyle), Prefix: v.prefix, Body: body,
		Done: v.followsOn(doneRevoked), SignInURL: v.options.Instance.SignInURL}
	var page bytes.Buffer
	if err := pages.ExecuteTemplate(&page, name, data); err != nil {
		v.options.Logger.Error("session page", "error", err)
		http.Error(v.w, http.StatusText(http.StatusInternalServerError), http.StatusInternalServerError)
		return
	}
	v.keepPrivate()
	v.w.Header().Set("Content-Type", "text/html; charset=utf-8")
	v.w.WriteHeader(status)
	if v.r.Method != http.MethodHead {
		_, _ = v.w.Write(page.Bytes()) // the browser may be gone
	}
}

// cards is a listing as the page shows it.
type cards struct {
	Here, Others      []card
	More              bool
	AccountChooserURL string
}

// card is one session on the page.
type card struct {
	Session
	Prefix string
	// Used says how long ago the session was last active. In which time zone the
	// reader is, nothing in the request says.
	Used string
}

func (v *visit) cards(l Listing) cards {
	c := cards{More: l.More, AccountChooserURL: l.AccountChooserURL}
	for _, s := range l.Sessions {
		of := &c.Others
		if s.Current {
			of = &c.Here
		}
		*of = append(*of, card{s, v.prefix, ago(v.options.Now().Sub(s.LastActiveAt))})
	}
	return c
}

// ago is a time in the past, for people.
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
