package clerktest

import (
	"crypto/rand"
	"fmt"
	"slices"
	"time"
)

// maxClients bounds the browsers that are remembered; the oldest go first.
const maxClients = 1024

// client is a browser, and the sessions in it. Everything is guarded by
// Instance.mu.
type client struct {
	id string // client_...
	// secret is the value of cookie __client, on the Frontend API's own host.
	secret string
	// devBrowser names the browser to a development instance, whose apps are of
	// other sites: a production instance has none.
	devBrowser string
	// current is the active session, or nil.
	current *record
	// updated is when the sessions changed: cookie __client_uat.
	updated time.Time
}

// newClient remembers a browser. The caller holds the lock.
func (i *Instance) newClient() *client {
	c := &client{id: "client_" + rand.Text(), secret: rand.Text() + rand.Text(), updated: i.options.Now()}
	if !i.options.Live {
		c.devBrowser = "dvb_" + rand.Text()
	}
	i.clients = append(i.clients, c)
	if len(i.clients) > maxClients {
		i.clients = slices.Delete(i.clients, 0, len(i.clients)-maxClients)
	}
	return c
}

// clientBy finds a browser. The caller holds the lock.
func (i *Instance) clientBy(is func(*client) bool) *client {
	at := slices.IndexFunc(i.clients, is)
	if at < 0 {
		return nil
	}
	return i.clients[at]
}

// alive are the sessions of a browser that go on. The caller holds the lock.
func (i *Instance) alive(c *client) []*record {
	var sessions []*record
	for _, s := range i.sessions {
		if s.client == c && s.alive() {
			sessions = append(sessions, s)
		}
	}
	return sessions
}

// activate makes a session the active one.
func (c *client) activate(s *record, now time.Time) { c.current, c.updated = s, now }

// deactivate leaves a session that ended for the latest of those left.
func (c *client) deactivate(s *record, left []*record, now time.Time) {
	c.updated = now
	if c.current != s {
		return
	}
	c.current = nil
	if len(left) > 0 {
		c.current = left[len(left)-1]
	}
}

// updatedAt is the value of cookie __client_uat: seconds, or 0 for a browser
// where nobody is signed in.
func (c *client) updatedAt() int64 {
	if c.current == nil {
		return 0
	}
	return c.updated.Unix()
}

// Switch makes a session the active one of its browser, with an organization,
// named by slug or id; empty is the personal account.
func (i *Instance) Switch(sessionID, organization string) error {
	i.mu.Lock()
	defer i.mu.Unlock()
	s := i.record(sessionID)
	if s == nil || !s.alive() {
		return fmt.Errorf("there is no session %q", sessionID)
	}
	if !i.enter(s, organization) {
		return fmt.Errorf("user %q is not in organization %q", s.user, organization)
	}
	s.client.activate(s, i.options.Now())
	return nil
}

// enter makes an organization the session's own, if the user is a member. The
// caller holds the lock.
func (i *Instance) enter(s *record, organization string) bool {
	if organization == "" {
		s.organization = ""
		return true
	}
	u := i.user(s.user)
	if u == nil {
		return false
	}
	m := u.membership(organization)
	if m != nil {
		s.organization = m.Organization.Slug
	}
	return m != nil
}
