package clerktest

import (
	"crypto/rand"
	"fmt"
	"math"
	"slices"
	"time"
)

// maxSessions bounds the sessions that are kept; the oldest go first.
const maxSessions = 1024

// Session is somebody signed in. It is not changed once made, but for its end.
type Session struct {
	// ID is claim sid: sess_....
	ID string
	// User is who signed in.
	User User
	// Organization is the slug of the active organization; empty for the
	// personal account.
	Organization string
	// CreatedAt is when the session began.
	CreatedAt time.Time
	// Verified is when the factors were verified. Zero: as the session began.
	Verified time.Time

	ended bool // guarded by Instance.mu
}

// SignIn begins a session of the user with that id, in the first of the user's
// organizations.
func (i *Instance) SignIn(userID string) (*Session, error) {
	at := slices.IndexFunc(i.options.Users, func(u User) bool { return u.ID == userID })
	if at < 0 {
		return nil, fmt.Errorf("there is no user %q", userID)
	}
	s := &Session{ID: "sess_" + rand.Text(), User: i.options.Users[at], CreatedAt: i.options.Now()}
	if len(s.User.Memberships) > 0 {
		s.Organization = s.User.Memberships[0].Organization.Slug
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.sessions = append(i.sessions, s)
	if len(i.sessions) > maxSessions {
		i.sessions = slices.Delete(i.sessions, 0, len(i.sessions)-maxSessions)
	}
	return s, nil
}

// EndSession ends a session: its tokens hold until they expire.
func (i *Instance) EndSession(id string) {
	i.mu.Lock()
	defer i.mu.Unlock()
	for _, s := range i.sessions {
		s.ended = s.ended || s.ID == id
	}
}

// session returns a session and its status as the Backend API has it.
func (i *Instance) session(id string) (s *Session, status string) {
	i.mu.RLock()
	defer i.mu.RUnlock()
	for _, s := range i.sessions {
		if s.ID == id && s.ended {
			return s, "ended"
		}
		if s.ID == id {
			return s, "active"
		}
	}
	return nil, ""
}

// membership is the one in the active organization, or nil.
func (s *Session) membership() *Membership {
	for i := range s.User.Memberships {
		if s.User.Memberships[i].Organization.Slug == s.Organization {
			return &s.User.Memberships[i]
		}
	}
	return nil
}

// factorAges is claim fva: minutes since each factor was verified, -1 for one
// that is not enrolled.
func (s *Session) factorAges(now time.Time) []int {
	verified := s.Verified
	if verified.IsZero() {
		verified = s.CreatedAt
	}
	age := int(math.Max(0, math.Floor(now.Sub(verified).Minutes())))
	if s.User.SecondFactor {
		return []int{age, age}
	}
	return []int{age, -1}
}
