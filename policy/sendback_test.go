package policy_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// openAssets bypasses files, and protects the rest.
func openAssets() policy.Config {
	return policy.Config{Rules: []policy.Rule{
		{Name: "assets", Match: policy.Match{Path: policy.StringList{"/assets/(.*)"}}, Access: policy.Bypass},
		{Name: "watched", Match: policy.Match{Path: policy.StringList{"/watched"}}, Mode: policy.Shadow},
	}}
}

// A proxy that removes nothing must not be told that a request may pass of which it
// would forward what names another path, or another user, to the application.
func TestAReservedHeaderIsRefusedWhereItWouldStand(t *testing.T) {
	t.Parallel()
	for _, target := range []string{"/", "/assets/site.css", "/watched"} {
		for name, want := range map[string]policy.Reason{
			"X-Original-Url":         policy.ReasonHeaderReserved,
			"x_original_url":         policy.ReasonHeaderReserved,
			"X-Middleware-Something": policy.ReasonHeaderReserved,
			"X-Forwarded-User":       policy.ReasonHeaderReserved,
			"X-Forwarded-Host":       policy.ReasonHeaderReserved,
			"x_user_id":              policy.ReasonHeaderReserved,
			"X-User-Id":              "", // which the decision sets or removes by this name
			"x-user-id":              "",
			"X-Custom":               "",
		} {
			r := get(target, policy.Header{Name: name, Value: "forged"})
			r.FieldsStand = true
			d := ask(t, openAssets(), admin(), r)
			if d.Allowed() == (want != "") || want != "" && d.Reason != want {
				t.Errorf("%s with %s: %s, %s", target, name, d.Outcome, d.Reason)
			}
			named := slices.ContainsFunc(d.SetHeaders, func(h policy.Header) bool { return h.Name == "X-User-Id" }) || slices.Contains(d.RemoveHeaders, "X-User-Id")
			if d.Allowed() && !named {
				t.Errorf("%s with %s says nothing of X-User-Id: %v, %v", target, name, d.SetHeaders, d.RemoveHeaders)
			}
		}
	}
}

// page is a browser's request for a page, by a proxy that gives browsers no cookies.
func page(target string, headers ...policy.Header) *policy.Request {
	r := get(target, append(headers, policy.Header{Name: "Sec-Fetch-Dest", Value: "document"})...)
	r.AnswersAlone = true
	return r
}

func TestABrowserIsSentBackForItsCookies(t *testing.T) {
	t.Parallel()
	kept := policy.Header{Name: "Cookie", Value: "__session=old"}
	for name, c := range map[string]struct {
		request  *policy.Request
		forward  *policy.Forward
		location string
	}{
		"to the page":                       {request: page("/a?x=1", kept), location: "https://app.example.com/a?x=1"},
		"without what must end here":        {request: page("/a?__clerk_handshake=t&x=1", kept), forward: &policy.Forward{RemoveQuery: []string{"__clerk_handshake"}}, location: "https://app.example.com/a?x=1"},
		"without a query":                   {request: page("/a?__clerk_handshake=t", kept), forward: &policy.Forward{RemoveQuery: []string{"__clerk_handshake"}}, location: "https://app.example.com/a"},
		"never to another site":             {request: page("//evil.example/a", kept), location: "https://app.example.com//evil.example/a"},
		"not where it keeps no cookies":     {request: page("/a")},
		"not in circles":                    {request: page("/a", kept, policy.Header{Name: "Cookie", Value: "b=1; __clerkgate_sent_back=1"})},
		"not if it loads no page":           {request: func() *policy.Request { r := get("/a", kept); r.AnswersAlone = true; return r }()},
		"not where the proxy gives cookies": {request: func() *policy.Request { r := page("/a", kept); r.AnswersAlone = false; return r }()},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			d := renewed(c.forward).policy(t, policy.Config{}).Decide(t.Context(), c.request)
			if got := d.Header("Location"); got != c.location || (d.Outcome == policy.Redirect) != (c.location != "") {
				t.Fatalf("%s to %q, want %q", d.Outcome, got, c.location)
			}
			if c.location == "" {
				if !d.Allowed() {
					t.Errorf("%s", d.Reason)
				}
				return
			}
			cookies := slices.DeleteFunc(slices.Clone(d.ResponseHeaders), func(h policy.Header) bool { return h.Name != "Set-Cookie" })
			if len(cookies) != 2 || cookies[0].Value != "__session=new" || !strings.HasPrefix(cookies[1].Value, "__clerkgate_sent_back=1;") {
				t.Errorf("cookies %v", cookies)
			}
			if d.Status != 307 || d.Header("Cache-Control") != "no-store" || len(d.SetHeaders) > 0 {
				t.Errorf("status %d, %v, upstream %v", d.Status, d.ResponseHeaders, d.SetHeaders)
			}
		})
	}
}

func TestKeptQueryIsAsItIsWritten(t *testing.T) {
	t.Parallel()
	d := policy.Decision{RemoveQuery: []string{"b", "c%5F"}}
	for query, want := range map[string]string{
		"": "", "a=1": "a=1", "b": "", "b=1&a=%32&b=2&&c=3": "a=%32&&c=3", "c%5F=1&c_=2": "c_=2", "B=1": "B=1",
	} {
		if got := d.KeptQuery(query); got != want {
			t.Errorf("%q becomes %q, want %q", query, got, want)
		}
	}
	if got := new(policy.Decision).KeptQuery("a=1&&b"); got != "a=1&&b" {
		t.Errorf("with nothing to remove: %q", got)
	}
}

func TestReservedHeadersAreReserved(t *testing.T) {
	t.Parallel()
	names := policy.ReservedHeaders()
	if len(names) < 100 || !slices.IsSorted(names) {
		t.Errorf("%d names", len(names))
	}
	for _, name := range names {
		r := get("/", policy.Header{Name: name, Value: "x"})
		r.FieldsStand = true
		if d := ask(t, policy.Config{}, admin(), r); d.Allowed() {
			t.Errorf("%s passes", name)
		}
	}
}
