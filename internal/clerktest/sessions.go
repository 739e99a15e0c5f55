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

// Session is somebody signed in, as it was when it was asked for.
type Session struct {
	// ID is claim sid: sess_....
	ID string
	// ClientID is the browser it belongs to: client_....
	ClientID string
	// User is who signed in.
	User User
	// Organization is the slug of the active organization; empty for the
	// personal account.
	Organization string
	// Status is active, pending, ended, removed or revoked.
	Status string
	// CreatedAt is when the session began.
	CreatedAt time.Time
	// Verified is when the factors were verified. Zero: as the session began.
	Verified time.Time
}

// The states of a session.
const (
	active  = "active"
	pending = "pending"
	ended   = "ended"
	removed = "removed"
	revoked = "revoked"
)

// record is a session that goes on. Everything is guarded by Instance.mu.
type record struct {
	id, user, organization, status, refresh string
	client                                  *client
	created, verified                       time.Time
}

func (s *record) alive() bool { return s.status == active || s.status == pending }

// SignIn begins a session of the user with that id, in the first of the user's
// organizations and in a browser of its own.
func (i *Instance) SignIn(userID string) (*Session, error) {
	var s *Session
	return s, i.change(func() (events []event, err error) {
		begun, events, err := i.signIn(i.newClient(), userID)
		if err == nil {
			s = i.snapshot(begun)
		}
		return events, err
	})
}

// signIn begins a session in a browser, where it becomes the active one. The
// caller holds the lock.
func (i *Instance) signIn(c *client, userID string) (*record, []event, error) {
	u := i.user(userID)
	if u == nil {
		return nil, nil, fmt.Errorf("there is no user %q", userID)
	}
	if u.Banned {
		return nil, nil, fmt.Errorf("user %q is banned", userID)
	}
	now := i.options.Now()
	s := &record{id: "sess_" + rand.Text(), user: u.ID, status: active, refresh: rand.Text() + rand.Text(), client: c, created: now, verified: now}
	if len(u.Memberships) > 0 {
		s.organization = u.Memberships[0].Organization.Slug
	}
	i.sessions = append(i.sessions, s)
	if len(i.sessions) > maxSessions {
		i.sessions = slices.Delete(i.sessions, 0, len(i.sessions)-maxSessions)
	}
	c.activate(s, now)
	return s, []event{{"session.created", i.sessionObject(s)}}, nil
}

// EndSession signs a session out: its tokens hold until they expire.
func (i *Instance) EndSession(id string) { i.finish(id, ended) }

// RemoveSession signs a session out and has its browser forget it.
func (i *Instance) RemoveSession(id string) { i.finish(id, removed) }

// RevokeSession ends a session from the app's side.
func (i *Instance) RevokeSession(id string) { i.finish(id, revoked) }

// finish panics where there is no such session, so that no test ends one that
// never began.
func (i *Instance) finish(id, status string) {
	err := i.change(func() ([]event, error) {
		s := i.record(id)
		if s == nil {
			return nil, fmt.Errorf("clerktest: there is no session %q", id)
		}
		return i.end(s, status), nil
	})
	if err != nil {
		panic(err)
	}
}

// end ends a session that goes on. The caller holds the lock.
func (i *Instance) end(s *record, status string) []event {
	if !s.alive() {
		return nil
	}
	s.status, s.refresh = status, ""
	s.client.deactivate(s, i.alive(s.client), i.options.Now())
	return []event{{"session." + status, i.sessionObject(s)}}
}

// endAll ends all sessions of somebody. The caller holds the lock.
func (i *Instance) endAll(userID, status string) []event {
	var events []event
	for _, s := range i.sessions {
		if s.user == userID {
			events = append(events, i.end(s, status)...)
		}
	}
	return events
}

// PendSession leaves a session with tasks unfinished: it is signed in, but not
// yet.
func (i *Instance) PendSession(id string) { i.set(id, func(s *record) { s.status = pending }) }

// VerifySession verifies the session's factors again, at a time.
func (i *Instance) VerifySession(id string, at time.Time) {
	i.set(id, func(s *record) { s.verified = at })
}

// set panics where no such session goes on, as finish does.
func (i *Instance) set(id string, change func(*record)) {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.record(id)
	if s == nil || !s.alive() {
		panic(fmt.Sprintf("clerktest: there is no session %q", id))
	}
	change(s)
}

// record is a session, or nil. The caller holds the lock.
func (i *Instance) record(id string) *record {
	at := slices.IndexFunc(i.sessions, func(s *record) bool { return s.id == id })
	if at < 0 {
		return nil
	}
	return i.sessions[at]
}

// Session returns a session as it is now, or nil.
func (i *Instance) Session(id string) *Session {
	i.mu.RLock()
	defer i.mu.RUnlock()
	if s := i.record(id); s != nil {
		return i.snapshot(s)
	}
	return nil
}

// snapshot copies a session. The caller holds the lock.
func (i *Instance) snapshot(s *record) *Session {
	copied := &Session{
		ID: s.id, ClientID: s.client.id, User: User{ID: s.user}, Organization: s.organization, Status: s.status,
		CreatedAt: s.created, Verified: s.verified,
	}
	if u := i.user(s.user); u != nil {
		copied.User = u.clone()
	}
	return copied
}

// membership is the one in the active organization, or nil.
func (s *Session) membership() *Membership { return s.User.membership(s.Organization) }

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

// sessionObject is a session as the Backend API has it. Times are in
// milliseconds. The caller holds the lock.
func (i *Instance) sessionObject(s *record) map[string]any {
	began := millis(s.created)
	object := map[string]any{
		"object": "session", "id": s.id, "client_id": s.client.id, "user_id": s.user, "status": s.status,
		"last_active_at": began, "created_at": began, "updated_at": began, "user": nil, "last_active_organization_id": nil,
		"expire_at": millis(s.created.AddDate(0, 0, 7)), "abandon_at": millis(s.created.AddDate(0, 1, 0)),
	}
	if u := i.user(s.user); u != nil {
		object["user"] = userObject(u)
		if m := u.membership(s.organization); m != nil {
			object["last_active_organization_id"] = m.Organization.ID
		}
	}
	return object
}
