package policy_test

import (
	"strings"
	"testing"

	"github.com/clerkgate/clerkgate/policy"
)

// An exact guarding path covers what upstreams serve the same.
func TestAGuardCoversWhatUpstreamsServeTheSame(t *testing.T) {
	t.Parallel()
	for pattern, c := range map[string]struct{ guarded, open []string }{
		"/reports": {
			[]string{
				"/reports", "/reports/", "/REPORTS", "/Reports/", "/reports.json", "/reports.tar.gz", "/reports.a.b.c.d.e", "/reports.a.b.c.d.e.f.g.h.i.j.k", "/reports.", "/reports%20", "/reports%2Ejson",
				"/reports;v=1", "/reports;v=1.json", "/reports.json;v=1", "/reports.json/", "//reports", "//host/reports", "/reports%3Fx", "/reports%23x", "/reports%E2%80%8B", "/%EF%BD%92eports",
				"/index.php/reports", "/(S(abc))/reports", "/reports::$DATA", "/reports/__data.json", "/reports/_payload.json", "/_next/data/b1/reports.json", "/page-data/reports/page-data.json", "/reports?x", "/report%73",
			},
			[]string{"/", "/report", "/reports-guide", "/reports/x", "/my/reports", "/reportsx.json", "/_next/data/b1/other.json"},
		},
		"/v1.2/a.b":    {[]string{"/v1.2/a.b", "/v1.2/a.b.json", "/v1.2/a.b.c.d.e.f.g.h.i.j"}, []string{"/v1.2/a", "/v1.2/a.c", "/v1.2/ab"}},
		"/docs/(.*)":   {[]string{"/docs", "/docs/", "/docs/a/b", "/docs.json", "/docs%20", "/Docs"}, []string{"/docsx", "/doc"}},
		"/docs/":       {[]string{"/docs", "/docs/", "/docs.json"}, []string{"/docsx", "/docs/x"}},
		"/:org/admin":  {[]string{"/acme/admin", "/acme/admin.json", "/acme//admin"}, []string{"/admin", "/acme/admins"}},
		"/cafe\u0301":  {[]string{"/cafe\u0301", "/caf\u00e9", "/caf%C3%A9", "/cafe%CC%81", "/CAF%C3%89"}, []string{"/cafe", "/caf%C3%A9x"}},
		"/stra\u00dfe": {[]string{"/stra%C3%9Fe"}, []string{"/strase"}},
		"/settings":    {[]string{"/sett%C4%B1ngs", "/SETT%C4%B0NGS", "/\u017fettings"}, []string{"/setting"}},
	} {
		t.Run(pattern, func(t *testing.T) {
			t.Parallel()
			p := as(nil).policy(t, rulesOrPublic(policy.Rule{Name: "guard", Match: paths(pattern)}))
			for _, target := range c.guarded {
				if d := p.Decide(t.Context(), get(target)); d.Allowed() {
					t.Errorf("%s passes", target)
				}
			}
			for _, target := range c.open {
				if d := p.Decide(t.Context(), get(target)); !d.Allowed() {
					t.Errorf("%s: %s by %s", target, d.Reason, d.Rule)
				}
			}
		})
	}
}

// A rule that opens does so to what it names alone.
func TestAnOpenRuleCoversWhatItNamesAlone(t *testing.T) {
	t.Parallel()
	p := as(nil).policy(t, rules(
		policy.Rule{Name: "open", Match: paths("/open", "/docs/(.*)"), Access: policy.Public},
		policy.Rule{Name: "assets", Match: paths("/_next/(.*)"), Access: policy.Bypass},
		policy.Rule{Name: "all but one", Match: paths("/but/((?!secret).*)"), Access: policy.Public},
	))
	for target, want := range map[string]bool{
		"/open": true, "/open/": true, "/but/a": true, "/ope%6e": true, "/open?x": true, "/docs/": true, "/docs/a": true, "/_next/static/a.js": true, "/_next/data/b1/open.json": true,
		"/OPEN": false, "/Open/": false, "/DOCS/a": false, "/docs/A": true, "/but/secret": false, "/but/SECRET": false,
		"/open.json": false, "/open;x": false, "//open": false, "/open%20": false, "/open%3F": false, "/docs": false, "/index.php/open": false, "/_next/data/b1/secret.json": false, "/_next/data/b1/index.json": false,
	} {
		if d := p.Decide(t.Context(), get(target)); d.Allowed() != want {
			t.Errorf("%s: %v by %s", target, d.Outcome, d.Rule)
		}
	}
}

func TestStaticFiles(t *testing.T) {
	t.Parallel()
	p := as(nil).policy(t, rules(
		policy.Rule{Name: "assets", Match: policy.Match{StaticFiles: true}, Access: policy.Bypass},
		policy.Rule{Name: "admin", Match: paths("/admin(.*)", "/reports", "/:org/settings(.*)", "/(.*).xlsx")},
		policy.Rule{Name: "page", Match: paths("/pages/:page", "/:tenant/files/(.*)")},
		policy.Rule{Name: "rest", Match: paths("/((?!login).*)")},
	))
	for name, targets := range map[string][]string{
		"passes": {"/a.css", "/a/b/c.js", "/LOGO.PNG", "/fonts/x.woff2", "/a.b.min.js", "/a.csv?x=/admin", "/site.webmanifest", "/caf%C3%A9.png", "/wiki/a_(b).png"},
		"is judged": {
			"/", "/a", "/a.php", "/a.json", "/.css", "/a/.png", "/a.css/b", "/a.css/", "/a.cs", "/acss", "/a.png.", "/a.png;x", "/a;.png", "/a%3f.png", "/a.png%20",
			"/api/a.csv", "/API/a.csv", "/trpc/x.js", "/__clerk/a.js", "//api/a.csv", "/api;x/a.csv", "//host/api/a.csv",
			"/admin/a.css", "/admin.css", "/Admin/x.png", "/reports.csv", "/reports.a.csv", "/acme/settings/export.csv", "/acme/settings.csv", "/a/b.xlsx", "/pages/a.css", "/acme/files/report.csv",
		},
	} {
		for _, target := range targets {
			if d := p.Decide(t.Context(), get(target)); d.Allowed() != (name == "passes") {
				t.Errorf("%s: %s by %q", target, d.Reason, d.Rule)
			}
		}
	}
}

// A guard of parameters alone keeps what it names, unless it means everything.
func TestStaticFilesOfATenant(t *testing.T) {
	t.Parallel()
	for pattern, open := range map[string]bool{"/:tenant/:path*": false, "/:tenant/(.*)": false, "/:tenant/:page": false, "/:path*": true, "/:path+": true, "/(.*)": true, "/(.+)": true, "/:locale?/:path*": true} {
		p := as(nil).policy(t, rules(
			policy.Rule{Name: "assets", Match: policy.Match{StaticFiles: true}, Access: policy.Bypass},
			policy.Rule{Name: "tenant", Match: paths(pattern)},
		))
		if d := p.Decide(t.Context(), get("/acme/report.csv")); d.Allowed() != open {
			t.Errorf("%s: %s by %q", pattern, d.Reason, d.Rule)
		}
	}
}

func TestMethods(t *testing.T) {
	t.Parallel()
	p := as(nil).policy(t, rules(policy.Rule{Name: "read", Match: policy.Match{Path: policy.StringList{"/posts(.*)"}, Method: policy.StringList{"GET", "HEAD"}}, Access: policy.Public}))
	for method, want := range map[string]policy.Reason{
		"GET": policy.ReasonPublic, "HEAD": policy.ReasonPublic,
		"get": policy.ReasonMethodMalformed, "Get": policy.ReasonMethodMalformed, "query": policy.ReasonMethodMalformed, "mkCol": policy.ReasonMethodMalformed,
		"TRACE": policy.ReasonMethodTrace, "TRACK": policy.ReasonMethodTrace, "trace": policy.ReasonMethodMalformed, "CONNECT": policy.ReasonMethodConnect, "connect": policy.ReasonMethodMalformed, "brew": policy.ReasonSessionMissing, "POST": policy.ReasonSessionMissing, "DELETE": policy.ReasonSessionMissing, "BREW": policy.ReasonSessionMissing, "OPTIONS": policy.ReasonSessionMissing,
		"": policy.ReasonMethodMalformed, "GE T": policy.ReasonMethodMalformed, "GET\r\n": policy.ReasonMethodMalformed, "GET/": policy.ReasonMethodMalformed, "G\u00c9T": policy.ReasonMethodMalformed, strings.Repeat("A", 65): policy.ReasonMethodMalformed,
	} {
		r := get("/posts/1")
		r.Method = method
		if d := p.Decide(t.Context(), r); d.Reason != want {
			t.Errorf("%q: %s, want %s", method, d.Reason, want)
		}
	}
}

// Fields that stand for another method or path reach nobody.
func TestOverridesAreNotForwarded(t *testing.T) {
	t.Parallel()
	p := as(nil).policy(t, rulesOrPublic())
	for _, name := range []string{
		"X-HTTP-Method-Override", "x-http-method", "X_Method_Override", "X.Original.URL", "X-Rewrite-Url", "X-Forwarded-Uri", "X-Forwarded-Prefix", "x-middleware-subrequest", "X-Middleware-Anything",
		"X_MIDDLEWARE_SUBREQUEST", "X-Clerk-Auth-Status", "X-Envoy-Original-Path", "X-Accel-Redirect", "x-middleware-" + strings.Repeat("a", 100),
	} {
		r := get("/a", policy.Header{Name: name, Value: "/admin"})
		d := p.Decide(t.Context(), r)
		if left := edited(r.Headers, &d); len(left) > 0 || !d.Allowed() {
			t.Errorf("%s: %s, upstream sees %v", name, d.Reason, left)
		}
	}
}

func TestHosts(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		pattern    string
		meets, not []string
		guardsAlso []string // met by a rule that guards, but not by one that opens
	}{
		"a name":                {"app.example.com", []string{"app.example.com", "APP.Example.com", "app.example.com.", "app.example.com:443", "app.example.com:80"}, []string{"example.com", "xapp.example.com", "app.example.com.evil.example"}, []string{"app.example.com:8443", "app.example.com:8080"}},
		"a name and a port":     {"app.example.com:8443", []string{"app.example.com:8443", "App.example.com.:8443"}, []string{"example.com", "a.app.example.com:8443"}, []string{"app.example.com", "app.example.com:443", "app.example.com:844"}},
		"any name below":        {"*.example.com", []string{"a.example.com", "a.b.example.com", "A.EXAMPLE.COM."}, []string{"example.com", "badexample.com", "example.com.evil.example"}, []string{"a.example.com:81"}},
		"an address":            {"[2001:db8::1]", []string{"[2001:db8::1]", "[2001:DB8:0::1]", "[2001:0db8:0:0:0:0:0:1]:443"}, []string{"[2001:db8::2]"}, nil},
		"a name with final dot": {"app.example.com.", []string{"app.example.com", "app.example.com."}, []string{"app.example.org"}, nil},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			match := policy.Match{Host: policy.StringList{c.pattern}}
			opens := as(nil).policy(t, rules(policy.Rule{Name: "open", Match: match, Access: policy.Public}))
			guards := as(nil).policy(t, rulesOrPublic(policy.Rule{Name: "guard", Match: match}))
			check := func(hosts []string, open, guarded bool) {
				for _, host := range hosts {
					r := get("/a")
					r.Host = host
					if d := opens.Decide(t.Context(), r); d.Allowed() != open {
						t.Errorf("an open rule on %s: %s by %q", host, d.Reason, d.Rule)
					}
					if d := guards.Decide(t.Context(), r); d.Allowed() == guarded {
						t.Errorf("a guarding rule on %s: %s by %q", host, d.Reason, d.Rule)
					}
				}
			}
			check(c.meets, true, true)
			check(c.not, false, false)
			check(c.guardsAlso, false, true)
		})
	}
}

// A default port in a pattern would never be met, since requests are compared
// without it: a guard that never applies is refused when it is written.
func TestHostPatternsThatAreRefused(t *testing.T) {
	t.Parallel()
	for _, host := range []string{"app.example.com:443", "app.example.com:80", "*.example.com:443", "*", "*.", "a.*.com", "https://app.example.com", "app.example.com/x", "a b", "*.*.com", "app.example.com:0"} {
		config := rules(policy.Rule{Name: "x", Match: policy.Match{Host: policy.StringList{host}}})
		if errs := compileErrors(t, config, goodDeps()); len(errs) != 1 || errs[0].Path != "rules[0].match.host[0]" {
			t.Errorf("%q: %v", host, errs)
		}
	}
}

// Parameters are read from every reading, and have to agree.
func TestParameters(t *testing.T) {
	t.Parallel()
	tenant := func(patterns ...string) policy.Config {
		return rules(policy.Rule{Name: "tenant", Match: paths(patterns...), Require: &policy.Requirement{Organization: &policy.Organization{Slug: policy.StringList{":slug"}}}})
	}
	for _, c := range []struct {
		name    string
		config  policy.Config
		targets []string
		want    policy.Reason
	}{
		{"the organization's own path", tenant("/orgs/:slug(.*)"), []string{"/orgs/acme", "/orgs/acme/x/y", "/orgs/%61cme/x", "/ORGS/acme", "/orgs/acme?x=/orgs/other"}, policy.ReasonAllowed},
		{"another organization's", tenant("/orgs/:slug(.*)"), []string{"/orgs/other", "/orgs/acmex", "/orgs/acm", "/orgs/ACME", "/orgs/", "/orgs/other/acme", "/orgs/acme.json"}, policy.ReasonOrganizationRequired},
		{"readings that disagree", tenant("/orgs/:slug(.*)"), []string{"/orgs/acme;x", "/orgs/acme.", "/orgs//acme", "/orgs/acme%20", "/orgs/%EF%BD%81cme", "/orgs/acme%3Fx", "/orgs/%40acme"}, policy.ReasonTargetAmbiguous},
		{"several patterns", tenant("/orgs/:slug", "/o/:slug/x"), []string{"/orgs/acme", "/o/acme/x", "/orgs/acme/"}, policy.ReasonAllowed},
		{"several patterns, another", tenant("/orgs/:slug", "/o/:slug/x"), []string{"/orgs/other", "/o/other/x"}, policy.ReasonOrganizationRequired},
	} {
		p := as(member()).policy(t, c.config)
		for _, target := range c.targets {
			if d := p.Decide(t.Context(), get(target)); d.Reason != c.want {
				t.Errorf("%s: %s gives %s, want %s", c.name, target, d.Reason, c.want)
			}
		}
	}
}
