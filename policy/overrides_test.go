package policy

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"
)

// The table is one list of names in the form they are looked up by, each once, with
// who goes by it.
func TestOverridesAreOneTable(t *testing.T) {
	t.Parallel()
	seen := map[string]bool{}
	for _, o := range slices.Concat(overrides, identities) {
		if o.name != foldName(o.name) || seen[o.name] || o.reader == "" || hasOverridePrefix(o.name) {
			t.Errorf("%q is not folded, is there twice, has no reader, or is of a family", o.name)
		}
		seen[o.name] = true
	}
	for _, family := range overrideFamilies {
		for _, name := range family.members {
			if !strings.HasPrefix(name, family.prefix) || name != foldName(name) {
				t.Errorf("%q is no member of %q", name, family.prefix)
			}
		}
	}
}

// respelt are spellings that upstreams take for one another.
func respelt(name string) []string {
	return []string{name, strings.ToUpper(name), strings.ReplaceAll(name, "-", "_"), strings.ToUpper(strings.ReplaceAll(name, "-", "_")), strings.ReplaceAll(name, "-", ".")}
}

// Whatever lets a request pass, none of the table goes on; and where the proxy keeps
// fields from us all of it is removed by name.
func TestNothingOfTheTableGoesOn(t *testing.T) {
	t.Parallel()
	p, err := New(Config{Rules: []Rule{{Name: "assets", Match: Match{StaticFiles: true}, Access: Bypass}}, Default: Default{Access: Public}},
		Deps{Authenticator: anybody{}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	names := []string{"X-User-Id", "x-org-role", "http2-settings"}
	for _, o := range slices.Concat(overrides, identities) {
		names = append(names, o.name)
	}
	for _, family := range overrideFamilies {
		names = append(names, family.members...)
	}
	ask := func(r *Request) Decision {
		r.Method, r.Scheme, r.Host = "GET", "https", "app.example.com"
		return p.Decide(t.Context(), r)
	}
	for _, target := range []string{"/x", "/x.css"} {
		unseen := ask(&Request{Target: target, Unseen: true, Headers: []Header{{"Cookie", "a=b"}}})
		for _, name := range names {
			for _, spelt := range respelt(name) {
				if d := ask(&Request{Target: target, Headers: []Header{{spelt, "x"}}}); !d.Allowed() || !containsName(d.RemoveHeaders, spelt) {
					t.Errorf("%s on %s: %s, removed are %q", spelt, target, d.Reason, d.RemoveHeaders)
				}
				if !containsName(unseen.RemoveHeaders, spelt) {
					t.Errorf("%s on %s is not removed where it is not seen", spelt, target)
				}
			}
		}
		if !containsName(unseen.RemoveHeaders, "Upgrade") {
			t.Errorf("an Upgrade on %s is not removed where it is not seen", target)
		}
	}
	for _, name := range []string{"Host", "Cookie", "Authorization", "X-Forwarded-For", "X-Forwarded-Proto", "X-Real-Ip", "X-Request-Id", "X-Requested-With", "X-Csrf-Token", "Origin", "Referer", "Range", "If-Match", "X-Api-Key", "Traceparent", "Sec-WebSocket-Key"} {
		if d := ask(&Request{Target: "/x", Headers: []Header{{name, "x"}}}); containsName(d.RemoveHeaders, name) {
			t.Errorf("%s is removed", name)
		}
	}
}

// What is set is not removed beside.
func TestUnseenFieldsDoNotTakeAwayWhatIsSet(t *testing.T) {
	t.Parallel()
	p, err := New(Config{IdentityHeaders: map[string]string{"X-Remote-User": "user_id"}}, Deps{Authenticator: anybody{&Principal{TokenType: SessionToken, UserID: "user_1"}}, Now: time.Now})
	if err != nil {
		t.Fatal(err)
	}
	d := p.Decide(t.Context(), &Request{Method: "GET", Scheme: "https", Host: "app.example.com", Target: "/x", Unseen: true, Headers: []Header{{"X_Remote_User", "root"}, {"Upgrade", "websocket"}}})
	if !d.Allowed() || containsName(d.RemoveHeaders, "X-Remote-User") || !containsName(d.RemoveHeaders, "X_Remote_User") || !setsName(d.SetHeaders, "X-Remote-User") || containsName(d.RemoveHeaders, "Upgrade") {
		t.Errorf("%s: set %v, removed %q", d.Reason, d.SetHeaders, d.RemoveHeaders)
	}
}

// anybody signs everybody in as one principal; nil is nobody.
type anybody struct{ principal *Principal }

func (a anybody) Authenticate(context.Context, *Request, TokenTypes, time.Time) AuthState {
	if a.principal == nil {
		return AuthState{Reason: ReasonSessionMissing}
	}
	return AuthState{Status: SignedIn, Principal: a.principal, Presented: true}
}
