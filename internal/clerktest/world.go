package clerktest

import (
	"crypto/rand"
	"errors"
	"fmt"
	"slices"
	"time"
)

// change changes the world and, when that is done, tells of it.
func (i *Instance) change(f func() ([]event, error)) error {
	i.mu.Lock()
	events, err := f()
	i.mu.Unlock()
	i.send(events)
	return err
}

// Users lists the people there are.
func (i *Instance) Users() []User {
	i.mu.RLock()
	defer i.mu.RUnlock()
	users := make([]User, len(i.people))
	for n, u := range i.people {
		users[n] = u.clone()
	}
	return users
}

// maxUsers bounds the people there are.
const maxUsers = 1024

// AddUser adds somebody; without an id, under one of its own.
func (i *Instance) AddUser(u User) (User, error) {
	if u.ID == "" {
		u.ID = "user_" + rand.Text()
	}
	return u, i.change(func() ([]event, error) {
		if len(i.people) >= maxUsers {
			return nil, errors.New("there are too many users")
		}
		if i.user(u.ID) != nil {
			return nil, fmt.Errorf("there is a user %q", u.ID)
		}
		i.people = append(i.people, new(u.clone()))
		return []event{{"user.created", userObject(&u)}}, nil
	})
}

// user is somebody, or nil. The caller holds the lock.
func (i *Instance) user(id string) *User {
	at := slices.IndexFunc(i.people, func(u *User) bool { return u.ID == id })
	if at < 0 {
		return nil
	}
	return i.people[at]
}

// SetRole changes what somebody is in an organization, named by slug or id.
func (i *Instance) SetRole(userID, organization, role string, permissions ...string) error {
	return i.change(func() ([]event, error) {
		u, m, err := i.member(userID, organization)
		if err != nil {
			return nil, err
		}
		m.Role, m.Permissions = role, permissions
		return []event{{"organizationMembership.updated", i.membershipObject(u, m)}}, nil
	})
}

// RemoveMember takes somebody out of an organization. Sessions in which that
// organization was active go on without one.
func (i *Instance) RemoveMember(userID, organization string) error {
	return i.change(func() ([]event, error) {
		u, m, err := i.member(userID, organization)
		if err != nil {
			return nil, err
		}
		gone := event{"organizationMembership.deleted", i.membershipObject(u, m)}
		id := m.Organization.ID
		u.Memberships = slices.DeleteFunc(u.Memberships, func(m Membership) bool { return m.Organization.ID == id })
		return []event{gone}, nil
	})
}

// member is somebody's membership. The caller holds the lock.
func (i *Instance) member(userID, organization string) (*User, *Membership, error) {
	u := i.user(userID)
	if u == nil {
		return nil, nil, fmt.Errorf("there is no user %q", userID)
	}
	m := u.membership(organization)
	if m == nil {
		return nil, nil, fmt.Errorf("user %q is not in organization %q", userID, organization)
	}
	return u, m, nil
}

// Ban revokes all sessions of somebody and lets them sign in no more.
func (i *Instance) Ban(userID string) error {
	return i.change(func() ([]event, error) {
		u := i.user(userID)
		if u == nil {
			return nil, fmt.Errorf("there is no user %q", userID)
		}
		u.Banned = true
		return append([]event{{"user.updated", userObject(u)}}, i.endAll(userID, revoked)...), nil
	})
}

// Unban lets somebody sign in again.
func (i *Instance) Unban(userID string) error {
	return i.change(func() ([]event, error) {
		u := i.user(userID)
		if u == nil {
			return nil, fmt.Errorf("there is no user %q", userID)
		}
		u.Banned = false
		return []event{{"user.updated", userObject(u)}}, nil
	})
}

// DeleteUser removes somebody, and their sessions.
func (i *Instance) DeleteUser(userID string) error {
	return i.change(func() ([]event, error) {
		u := i.user(userID)
		if u == nil {
			return nil, fmt.Errorf("there is no user %q", userID)
		}
		ended := i.endAll(userID, removed)
		i.people = slices.DeleteFunc(i.people, func(u *User) bool { return u.ID == userID })
		return append(ended, event{"user.deleted", map[string]any{"id": userID, "object": "user", "deleted": true}}), nil
	})
}

// DeleteOrganization removes an organization, named by slug or id, and all
// memberships in it.
func (i *Instance) DeleteOrganization(organization string) error {
	return i.change(func() ([]event, error) {
		var gone *Organization
		for _, u := range i.people {
			if m := u.membership(organization); m != nil {
				gone = new(m.Organization)
				u.Memberships = slices.DeleteFunc(u.Memberships, func(m Membership) bool { return m.Organization.ID == gone.ID })
			}
		}
		if gone == nil {
			return nil, fmt.Errorf("there is no organization %q", organization)
		}
		return []event{{"organization.deleted", map[string]any{"id": gone.ID, "slug": gone.Slug, "object": "organization", "deleted": true}}}, nil
	})
}

// userObject is somebody as the Backend API has them.
func userObject(u *User) map[string]any {
	return map[string]any{
		"object": "user", "id": u.ID, "first_name": u.Name, "banned": u.Banned, "locked": false,
		"two_factor_enabled": u.SecondFactor, "public_metadata": map[string]any{}, "private_metadata": map[string]any{},
	}
}

// membershipObject is a membership as the Backend API has it. Times are in
// milliseconds.
func (i *Instance) membershipObject(u *User, m *Membership) map[string]any {
	now := millis(i.options.Now())
	return map[string]any{
		"object": "organization_membership", "id": "orgmem_" + m.Organization.Slug + u.ID,
		"role": m.Role, "permissions": append([]string{}, m.Permissions...), "created_at": now, "updated_at": now,
		"organization":     map[string]any{"object": "organization", "id": m.Organization.ID, "slug": m.Organization.Slug, "name": m.Organization.Name},
		"public_user_data": map[string]any{"user_id": u.ID, "first_name": u.Name},
	}
}

func millis(t time.Time) int64 { return t.UnixMilli() }
