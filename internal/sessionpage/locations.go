package sessionpage

import (
	"net/http"
	"net/url"
	"slices"
	"strings"
)

// isLocation reports whether a configured value is empty, a path of this site or an
// absolute URL, without characters that browsers read differently.
func isLocation(text string) bool {
	if text == "" || strings.HasPrefix(text, "/") && !strings.HasPrefix(text, "//") && !strings.ContainsFunc(text, odd) {
		return true
	}
	_, ok := originOf(text)
	return ok
}

func odd(r rune) bool { return r <= ' ' || r == '\\' || r == 0x7f }

// originOf returns the origin of an absolute http or https URL.
func originOf(text string) (string, bool) {
	u, err := url.Parse(text)
	if err != nil || u.Scheme != "https" && u.Scheme != "http" || u.Hostname() == "" || u.User != nil || strings.ContainsFunc(text, odd) {
		return "", false
	}
	if strings.ContainsAny(u.Host, ";, '\"") {
		return "", false
	}
	return u.Scheme + "://" + u.Host, true
}

// chooserURL returns the page on which users choose among the accounts of their
// browser: the configured one, or that of Clerk's sign-in page.
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

// chooserWithReturn returns the account chooser with this page as its redirect_url,
// if the request was made to an origin of the site.
func (h *Handler) chooserWithReturn(r *http.Request) string {
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
