package sessionpage

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
)

// Listing is the list of a user's sessions, for JSON and for the page.
type Listing struct {
	// Sessions are the live sessions (status active or pending): the current one first,
	// then by last activity, latest first.
	Sessions []Session `json:"sessions"`
	// More: there are more than one answer of Clerk holds.
	More bool `json:"more"`
	// AccountChooserURL is the page on which to choose among the accounts of this
	// browser; absent if there is none.
	AccountChooserURL string `json:"account_chooser_url,omitempty"`
}

// Session is one session of the user. What Clerk does not know is absent.
type Session struct {
	ID string `json:"id"`
	// Current: it is the session of the request itself.
	Current bool `json:"current"`
	// Status is active, or pending where signing in is not finished.
	Status string `json:"status"`
	// Device is Clerk's device_type: Macintosh, Windows, iPhone.
	Device         string `json:"device,omitempty"`
	Mobile         bool   `json:"mobile"`
	Browser        string `json:"browser,omitempty"`
	BrowserVersion string `json:"browser_version,omitempty"`
	IPAddress      string `json:"ip_address,omitempty"`
	City           string `json:"city,omitempty"`
	Country        string `json:"country,omitempty"`
	// Impersonated: in this session somebody else acts as the user (actor).
	Impersonated bool `json:"impersonated"`
	// The times are in UTC; unknown ones are absent.
	LastActiveAt time.Time `json:"last_active_at,omitzero"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
}

// Ended is the response to a request that ended sessions.
type Ended struct {
	// Revoked are the IDs of the ended sessions.
	Revoked []string `json:"revoked"`
	// SignedOut: the session of the request is among them.
	SignedOut bool `json:"signed_out"`
}

// maxText bounds each text that comes from Clerk, in bytes.
const maxText = 128

func describe(found []*clerk.Session, current string) []Session {
	list := make([]Session, 0, len(found))
	for _, s := range found {
		d := Session{
			ID: s.ID, Current: s.ID == current, Status: s.Status, Impersonated: len(s.Actor) > 0 && string(s.Actor) != "null",
			LastActiveAt: instant(s.LastActiveAt), CreatedAt: instant(s.CreatedAt), ExpiresAt: instant(s.ExpireAt),
		}
		if a := s.LatestActivity; a != nil {
			d.Mobile = a.IsMobile
			d.Device, d.Browser, d.BrowserVersion = text(a.DeviceType), text(a.BrowserName), text(a.BrowserVersion)
			d.IPAddress, d.City, d.Country = text(a.IPAddress), text(a.City), text(a.Country)
		}
		list = append(list, d)
	}
	slices.SortStableFunc(list, func(a, b Session) int {
		if a.Current != b.Current {
			return map[bool]int{true: -1, false: 1}[a.Current]
		}
		return b.LastActiveAt.Compare(a.LastActiveAt)
	})
	return list
}

// instant converts Unix milliseconds; zero or less is the zero time.
func instant(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text returns a text of Clerk's, cut to maxText.
func text(s *string) string {
	if s == nil {
		return ""
	}
	t := strings.TrimSpace(strings.ToValidUTF8(*s, ""))
	if len(t) > maxText {
		t = strings.ToValidUTF8(t[:maxText], "") + "…"
	}
	return t
}

// Name is the name of the session on the page: Chrome 126 on Macintosh.
func (s Session) Name() string {
	browser, device := strings.TrimSpace(s.Browser+" "+majorVersion(s.BrowserVersion)), s.Device
	if device == "" && s.Mobile {
		device = "a phone or tablet"
	}
	switch {
	case browser != "" && device != "":
		return browser + " on " + device
	default:
		return cmp.Or(browser, device, "Unknown device")
	}
}

// majorVersion returns the first part of a version: 126 of 126.0.6478.
func majorVersion(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// Place is where the session was last used: city and country, as far as Clerk knows.
func (s Session) Place() string {
	place := s.City
	if s.City != "" && s.Country != "" {
		place += ", "
	}
	return place + s.Country
}
