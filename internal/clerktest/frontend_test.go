package clerktest

import (
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strings"
	"testing"
)

// clientNow is a browser's own view of itself.
func clientNow(t *testing.T, b *browser) (sessions []string, current string) {
	t.Helper()
	response := b.ask(b.i.FrontendURL()+"/v1/client", nil)
	var shown struct {
		Response *struct {
			Sessions []struct {
				ID string
			}
			LastActiveSessionID string `json:"last_active_session_id"`
		}
	}
	if err := json.NewDecoder(response.Body).Decode(&shown); err != nil || response.StatusCode != http.StatusOK {
		t.Fatalf("%d, %v", response.StatusCode, err)
	}
	if shown.Response == nil {
		return nil, ""
	}
	for _, s := range shown.Response.Sessions {
		sessions = append(sessions, s.ID)
	}
	return sessions, shown.Response.LastActiveSessionID
}

func TestABrowserHasSeveralSessionsAndSwitchesBetweenThem(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	b := newBrowser(t, i)
	if sessions, _ := clientNow(t, b); sessions != nil {
		t.Errorf("a new browser has sessions %v", sessions)
	}
	b.follow(i.SignInURL(), url.Values{"user": {"user_ada"}})
	b.follow(i.SignInURL(), url.Values{"user": {"user_sol"}})
	sessions, current := clientNow(t, b)
	if len(sessions) != 2 || current != sessions[1] {
		t.Fatalf("sessions %v, and %q is active", sessions, current)
	}
	api := i.FrontendURL() + "/v1/client/sessions"
	for _, step := range []struct {
		path   string
		form   url.Values
		status int
		active string
		left   int
	}{
		{"/" + sessions[0] + "/touch", url.Values{"active_organization_id": {"org_bolt"}}, 200, sessions[0], 2},
		{"/" + sessions[0] + "/touch", url.Values{"active_organization_id": {"org_none"}}, 404, sessions[0], 2},
		{"/sess_none/touch", url.Values{}, 404, sessions[0], 2},
		{"/" + sessions[0] + "/end", url.Values{}, 200, sessions[1], 1},
		{"/" + sessions[0] + "/end", url.Values{}, 404, sessions[1], 1},
		{"?_method=PATCH", url.Values{}, 405, sessions[1], 1},
		{"?_method=DELETE", url.Values{}, 200, "", 0},
	} {
		response := b.ask(api+step.path, step.form)
		left, current := clientNow(t, b)
		if response.StatusCode != step.status || current != step.active || len(left) != step.left {
			t.Errorf("%s: %d, %q is active of %v", step.path, response.StatusCode, current, left)
		}
	}
	if got := i.Session(sessions[0]); got.Organization != "bolt" || got.Status != "ended" {
		t.Errorf("%+v", got)
	}
}

func TestASessionIsOfNoOtherBrowser(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	s, err := i.SignIn("user_ada")
	if err != nil {
		t.Fatal(err)
	}
	b := newBrowser(t, i)
	b.follow(i.SignInURL(), url.Values{"user": {"user_sol"}})
	for _, verb := range []string{"touch", "end", "remove", "tokens"} {
		if response := b.ask(i.FrontendURL()+"/v1/client/sessions/"+s.ID+"/"+verb, url.Values{}); response.StatusCode != http.StatusNotFound {
			t.Errorf("%s: %d", verb, response.StatusCode)
		}
	}
	if got := i.Session(s.ID); got.Status != "active" {
		t.Errorf("the session is %s", got.Status)
	}
}

func TestTokensAreMintedForTheActiveOrganizationAndByTemplate(t *testing.T) {
	t.Parallel()
	i := devInstance(t, func(o *Options) {
		o.Templates = map[string]Template{"files": {Claims: map[string]any{"role": "reader"}}}
	})
	b := newBrowser(t, i)
	b.follow(i.SignInURL(), url.Values{"user": {"user_ada"}})
	_, current := clientNow(t, b)
	mint := func(path string) (int, string) {
		response := b.ask(i.FrontendURL()+"/v1/client/sessions/"+current+path, url.Values{})
		var answer struct{ JWT string }
		if err := json.NewDecoder(response.Body).Decode(&answer); err != nil {
			t.Fatal(err)
		}
		return response.StatusCode, answer.JWT
	}
	if err := i.Switch(current, "bolt"); err != nil {
		t.Fatal(err)
	}
	_, token := mint("/tokens")
	if user, organization := subject(t, i, token); user != "user_ada" || organization != "bolt" {
		t.Errorf("a token of %q in %q", user, organization)
	}
	status, token := mint("/tokens/files")
	if user, organization := subject(t, i, token); status != 200 || user != "user_ada" || organization != "" {
		t.Errorf("%d, a token of %q in %q", status, user, organization)
	}
	if status, _ := mint("/tokens/none"); status != http.StatusNotFound {
		t.Errorf("a template that is not there: %d", status)
	}
}

func TestPagesElsewhereNeitherReadNorChangeAnything(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	for origin, allowed := range map[string]bool{devApp: true, "https://evil.example": false, "null": false} {
		r := httptest.NewRequest(http.MethodPost, i.FrontendURL()+"/v1/dev_browser", nil)
		r.Header.Set("Origin", origin)
		w := httptest.NewRecorder()
		i.handler.ServeHTTP(w, r)
		if read := w.Header().Get("Access-Control-Allow-Origin") == origin; read != allowed || (w.Code == http.StatusOK) != allowed {
			t.Errorf("%s: %d, readable %t", origin, w.Code, read)
		}
	}
}

func TestTheAccountPageSwitchesAndSignsOut(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	b := newBrowser(t, i)
	b.follow(i.SignInURL(), url.Values{"user": {"user_sol"}})
	b.follow(i.SignInURL(), url.Values{"user": {"user_ada"}})
	sessions, _ := clientNow(t, b)
	page := text(t, b.ask(i.AccountURL(), nil))
	for _, want := range []string{"switch " + sessions[1] + " bolt", `value="leave ` + sessions[0], `value="leave"`, `acme" aria-pressed="true"`} {
		if !strings.Contains(page, want) {
			t.Errorf("the page lacks %s", want)
		}
	}
	back := b.follow(i.AccountURL(), url.Values{"do": {"switch " + sessions[1] + " bolt"}, "redirect_url": {devApp + "/x"}})
	if got := i.Session(sessions[1]); got.Organization != "bolt" || back.Query().Get("__clerk_db_jwt") == "" {
		t.Errorf("in %q, sent to %s", got.Organization, back)
	}
	b.follow(i.AccountURL(), url.Values{"do": {"leave " + sessions[1]}})
	if left, current := clientNow(t, b); !slices.Equal(left, sessions[:1]) || current != sessions[0] {
		t.Errorf("left with %v, %q", left, current)
	}
	b.follow(i.AccountURL(), url.Values{"do": {"leave"}})
	if left, _ := clientNow(t, b); len(left) > 0 {
		t.Errorf("left with %v", left)
	}
	for _, nothing := range []string{"", "switch sess_none ", "dance"} {
		if response := b.ask(i.AccountURL(), url.Values{"do": {nothing}}); response.StatusCode < 400 {
			t.Errorf("%q: %d", nothing, response.StatusCode)
		}
	}
}

func TestSigningUpAddsSomebody(t *testing.T) {
	t.Parallel()
	i := devInstance(t, nil)
	b := newBrowser(t, i)
	b.follow(strings.Replace(i.SignInURL(), "sign-in", "sign-up", 1), url.Values{"name": {"<b>Zoe"}})
	sessions, _ := clientNow(t, b)
	if len(sessions) != 1 || i.Session(sessions[0]).User.Name != "<b>Zoe" {
		t.Fatalf("sessions %v", sessions)
	}
	if page := text(t, b.ask(i.SignInURL(), nil)); strings.Contains(page, "<b>") || !strings.Contains(page, "Zoe") {
		t.Error("the name is on the page as it came, or not at all")
	}
	if response := b.ask(strings.Replace(i.SignInURL(), "sign-in", "sign-up", 1), url.Values{"name": {" "}}); response.StatusCode != http.StatusBadRequest {
		t.Errorf("somebody without a name: %d", response.StatusCode)
	}
}

func text(t *testing.T, response *http.Response) string {
	t.Helper()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(body)
}
