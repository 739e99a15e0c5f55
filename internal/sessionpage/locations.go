package sessionpage

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// isLocation reports whether a configured text is empty, a path of this site or
// an absolute URL, and can be read as nothing else.
func isLocation(text string) bool {
	if text == "" || strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && !strings.ContainsFunc(text, odd) {
		return true
	}
	_, ok := webOrigin(text)
	return ok
}

func odd(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }

// webOrigin is the origin of an absolute http or https URL.
func webOrigin(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(text, odd) {
		return "", false
	}
	if strings.ContainsAny(u.Host, ";, '\"") {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

// chooserURL is the page on which Clerk's sign-in lets people choose among the
// accounts of their browser.
func chooserURL(o *Options) string {
	if o.AccountChooserURL != "" || o.Instance.SignInURL == "" {
		return o.AccountChooserURL
	}
	u, err := url.Parse(o.Instance.SignInURL)
	if err != nil {
		return ""
	}
	return u.JoinPath("choose").String()
}

// chooserFor is the account chooser with the way back to this page, where the
// request was made to an origin of the site.
func (h *Handler) chooserFor(r *http.Request) string {
	u, err := url.Parse(h.chooser)
	if err != nil || h.chooser == "" {
		return ""
	}
	at := slices.IndexFunc(h.options.Instance.Origins, func(origin string) bool {
		site, err := url.Parse(origin)
		return err == nil && strings.EqualFold(site.Host, r.Host)
	})
	if at < 0 {
		return u.String()
	}
	query := u.Query()
	query.Set("redirect_url", h.options.Instance.Origins[at]+h.prefix)
	u.RawQuery = query.Encode()
	return u.String()
}
