package sessionpage

import (
	"cmp"
	"slices"
	"strings"
	"time"

	"github.com/clerk/clerk-sdk-go/v2"
)

// Listing is the list of one's sessions, in JSON as on the page.
type Listing struct {
	// Sessions are those that are live, the current one first, then the most
	// recently used.
	Sessions []Session `json:"sessions"`
	// More: there are more than Clerk lists at once.
	More bool `json:"more"`
	// AccountChooserURL is where to choose among the accounts that are signed in
	// in this browser; left out where there is no such page.
	AccountChooserURL string `json:"account_chooser_url,omitempty"`
}

// Session is one of one's sessions. What Clerk does not know is left out.
type Session struct {
	ID string `json:"id"`
	// Current is the session of the request itself.
	Current bool `json:"current"`
	// Status is active, or pending where signing in is not finished.
	Status string `json:"status"`
	// Device is the system, as Clerk names it: Macintosh, Windows, iPhone.
	Device         string `json:"device,omitempty"`
	Mobile         bool   `json:"mobile"`
	Browser        string `json:"browser,omitempty"`
	BrowserVersion string `json:"browser_version,omitempty"`
	IPAddress      string `json:"ip_address,omitempty"`
	City           string `json:"city,omitempty"`
	Country        string `json:"country,omitempty"`
	// Impersonated: somebody else acts as the user in this session.
	Impersonated bool `json:"impersonated"`
	// The times are in UTC; zero ones are left out.
	LastActiveAt time.Time `json:"last_active_at,omitzero"`
	CreatedAt    time.Time `json:"created_at,omitzero"`
	ExpiresAt    time.Time `json:"expires_at,omitzero"`
}

// Ended says what a request has ended.
type Ended struct {
	// Revoked are the ids of the sessions.
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

// instant reads a time in Unix milliseconds; zero or less is none.
func instant(ms int64) time.Time {
	if ms <= 0 {
		return time.Time{}
	}
	return time.UnixMilli(ms).UTC()
}

// text is a text of Clerk's, cut to a length that fits on a page.
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

// Name is the session for people: Chrome 126 on Macintosh.
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

// majorVersion is what people know of a version: 126 of 126.0.6478.
func majorVersion(version string) string {
	major, _, _ := strings.Cut(version, ".")
	return major
}

// Place is where the session was last used, as well as Clerk can tell.
func (s Session) Place() string {
	place := s.City
	if s.City != "" && s.Country != "" {
		place += ", "
	}
	return place + s.Country
}
