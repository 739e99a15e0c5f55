package fleettest

import (
	"crypto/rand"
	"encoding/json"
	"io"
	"net/http"
	"sync"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/clerktest"
	"github.com/clerkgate/clerkgate/policy"
)

// person is somebody signed in who is nobody else's concern.
type person struct {
	clerk   *clerktest.Instance
	user    clerktest.User
	session *clerktest.Session
}

// organization is the slug of the one that everybody made here is in: one of
// their own.
func (p *person) organization() string { return p.user.Memberships[0].Organization.Slug }

// token is a new one of the session, for the first of the edges.
func (p *person) token() string { return p.clerk.Mint(p.session, clerktest.Token{}) }

// signIn adds somebody, in an organization of their own, and signs them in;
// with a role, by default that of a member.
func (f *fleet) signIn(t *testing.T, role string) *person {
	t.Helper()
	if role == "" {
		role = "org:member"
	}
	slug := "o" + rand.Text()
	u, err := f.clerk.AddUser(clerktest.User{Name: "Somebody", Memberships: []clerktest.Membership{
		{Organization: clerktest.Organization{ID: "org_" + slug, Slug: slug, Name: slug}, Role: role},
	}})
	if err != nil {
		t.Fatal(err)
	}
	s, err := f.clerk.SignIn(u.ID)
	if err != nil {
		t.Fatal(err)
	}
	return &person{f.clerk, u, s}
}

// answer is what an edge, or the app behind it, answered.
type answer struct {
	status int
	header http.Header
	// reason is why the edge refused.
	reason policy.Reason
	// app is who the app sees.
	app identity
}

// client keeps no cookies and goes nowhere by itself.
var client = &http.Client{Timeout: patience, CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }}

// call asks an edge as a program does.
func (e *edge) call(t *testing.T, path, token string) answer {
	t.Helper()
	a, err := e.try(t, path, token)
	if err != nil {
		t.Error(err)
	}
	return a
}

func (e *edge) try(t *testing.T, path, token string) (answer, error) {
	r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, e.origin+path, nil)
	if err != nil {
		return answer{}, err
	}
	r.Header.Set("Accept", "application/json")
	r.Header.Set("Authorization", "Bearer "+token)
	return read(client.Do(r))
}

// read takes an answer apart. What is no JSON is nobody's word.
func read(response *http.Response, err error) (answer, error) {
	if err != nil {
		return answer{}, err
	}
	defer response.Body.Close()
	a := answer{status: response.StatusCode, header: response.Header}
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return a, err
	}
	var said struct {
		identity
		Reason policy.Reason
	}
	if json.Unmarshal(body, &said) == nil {
		a.app, a.reason = said.identity, said.Reason
	}
	return a, nil
}

// passes makes sure that a token passes everywhere.
func (f *fleet) passes(t *testing.T, path, token string) {
	t.Helper()
	for _, e := range f.edges {
		if a := e.call(t, path, token); a.status != http.StatusOK {
			t.Fatalf("%s answers %d %s before anything happened", e.name, a.status, a.reason)
		}
	}
}

// promised is within what time all edges know of what one was told.
const promised = time.Second

// refuse makes sure that all edges refuse a token within the promised time of
// what began then, and returns how long that took.
func (f *fleet) refuse(t *testing.T, began time.Time, path, token string, reason policy.Reason) time.Duration {
	t.Helper()
	took := make([]time.Duration, len(f.edges))
	var asked sync.WaitGroup
	for i, e := range f.edges {
		asked.Go(func() {
			for {
				a, err := e.try(t, path, token)
				took[i] = time.Since(began)
				if err == nil && a.status == http.StatusUnauthorized && a.reason == reason {
					return
				}
				if took[i] > patience || t.Context().Err() != nil {
					t.Errorf("%s still answers %d %s, %v", e.name, a.status, a.reason, err)
					return
				}
				time.Sleep(2 * time.Millisecond)
			}
		})
	}
	asked.Wait()
	var last time.Duration
	for i, e := range f.edges {
		if took[i] > promised {
			t.Errorf("%s refuses after %v, later than promised", e.name, took[i])
		}
		last = max(last, took[i])
	}
	return last
}
