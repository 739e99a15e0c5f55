package policy_test

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/policy"
)

// mounted is a configuration for an application below /shop, in three languages.
func mounted(config policy.Config) policy.Config {
	config.BasePath, config.Locales = "/shop", policy.StringList{"en", "fr", "pt-BR"}
	return config
}

// What Next.js reads of a path (getNextPathnameInfo) decides.
func TestPatternsAreWrittenWithoutBasePathAndLocale(t *testing.T) {
	t.Parallel()
	config := rules(
		policy.Rule{Name: "files", Match: paths("/_next/:path*"), Access: policy.Bypass},
		policy.Rule{Name: "home", Match: paths("/"), Access: policy.Public},
		policy.Rule{Name: "open", Match: paths("/pricing", "/blog/:path*"), Access: policy.Public},
		policy.Rule{Name: "admin", Match: paths("/admin(.*)"), Require: requireRole("org:admin")},
		policy.Rule{Name: "prefixed", Match: paths("/shop/reports", "/fr/legal", "/shop/fr/both"), Require: requireRole("org:admin")},
		policy.Rule{Name: "below", Match: paths("/pt-br/closed"), Access: policy.DenyAccess},
	)
	both := mounted(config)
	base, locales := both, both
	base.Locales, locales.BasePath = nil, ""
	for name, c := range map[string]struct {
		config policy.Config
		target string
		rule   string
	}{
		"the base path":                          {both, "/shop", "home"},
		"the base path and a slash":              {both, "/shop/", "home"},
		"the base path and a query":              {both, "/shop?a=/x", "home"},
		"a locale":                               {both, "/shop/fr", "home"},
		"a locale and a slash":                   {both, "/shop/fr/", "home"},
		"a page":                                 {both, "/shop/pricing", "open"},
		"a page in a language":                   {both, "/shop/fr/pricing", "open"},
		"a locale in another letter case":        {both, "/shop/PT-br/pricing", "open"},
		"a guarded page":                         {both, "/shop/admin", "admin"},
		"a guarded page in a language":           {both, "/shop/fr/admin/x", "admin"},
		"outside the base path":                  {both, "/pricing", "open"},
		"a guard outside the base path":          {both, "/admin", "admin"},
		"a longer name":                          {both, "/shopx/pricing", "default"},
		"a longer name is no base path":          {both, "/shopx", "default"},
		"a longer locale":                        {both, "/shop/frx/pricing", "default"},
		"a file called like a locale":            {both, "/shop/fr.json", "default"},
		"data":                                   {both, "/shop/_next/data/BUILD/pricing.json", "open"},
		"data in a language":                     {both, "/shop/_next/data/BUILD/fr/pricing.json", "open"},
		"data of the home page":                  {both, "/shop/_next/data/BUILD/index.json", "home"},
		"data of the home page in a language":    {both, "/shop/_next/data/BUILD/fr.json", "home"},
		"guarded data":                           {both, "/shop/_next/data/BUILD/fr/admin.json", "admin"},
		"guarded data without a language":        {both, "/shop/_next/data/BUILD/admin.json", "admin"},
		"guarded data outside the base path":     {both, "/_next/data/BUILD/fr/admin.json", "admin"},
		"guarded data behind a locale":           {both, "/shop/fr/_next/data/BUILD/admin.json", "admin"},
		"assets":                                 {both, "/shop/_next/static/chunks/a.js", "files"},
		"the base path in another letter case":   {both, "/SHOP/pricing", "default"},
		"a guard there":                          {both, "/SHOP/admin", "admin"},
		"two locales":                            {both, "/shop/fr/en/pricing", "default"},
		"a guard behind two locales":             {both, "/shop/fr/en/admin", "admin"},
		"the base path twice":                    {both, "/shop/shop/pricing", "default"},
		"a guard behind the base path twice":     {both, "/shop/shop/admin", "admin"},
		"a locale before the base path":          {both, "/fr/shop/pricing", "default"},
		"a guard there, too":                     {both, "/fr/shop/admin", "admin"},
		"a locale outside the base path":         {both, "/fr/pricing", "default"},
		"a guard behind a locale outside":        {both, "/fr/admin", "admin"},
		"slashes":                                {both, "//shop//fr//pricing", "default"},
		"a guard behind slashes":                 {both, "//shop//fr//admin", "admin"},
		"an encoded base path":                   {both, "/sh%6fp/pricing", "default"},
		"a guard behind it":                      {both, "/sh%6fp/admin", "admin"},
		"an encoded locale":                      {both, "/shop/%66r/pricing", "default"},
		"a guard behind an encoded locale":       {both, "/shop/%66r/admin", "admin"},
		"a wide letter":                          {both, "/shop/%EF%BD%86r/admin", "admin"},
		"a guard behind parameters":              {both, "/shop;a=1/fr;b/admin", "admin"},
		"a guard behind a script":                {both, "/shop/index.php/fr/admin", "admin"},
		"an index document":                      {both, "/shop/fr/index.html", "home"},
		"a guard written with the base path":     {both, "/shop/reports", "prefixed"},
		"and in a language":                      {both, "/shop/fr/reports", "prefixed"},
		"a guard written with a locale":          {both, "/shop/fr/legal", "prefixed"},
		"not in another language":                {both, "/shop/en/legal", "default"},
		"a guard written with both":              {both, "/shop/fr/both.json", "prefixed"},
		"a rule that denies written with locale": {both, "/shop/pt-BR/closed", "below"},

		"base path alone":                  {base, "/shop/pricing", "open"},
		"base path alone, guarded":         {base, "/shop/admin", "admin"},
		"base path alone: no locales":      {base, "/shop/fr/pricing", "default"},
		"base path alone, data":            {base, "/shop/_next/data/BUILD/admin.json", "admin"},
		"locales alone":                    {locales, "/fr/pricing", "open"},
		"locales alone, the home page":     {locales, "/FR", "home"},
		"locales alone, guarded":           {locales, "/fr/admin", "admin"},
		"locales alone, data":              {locales, "/_next/data/BUILD/fr/blog/x.json", "open"},
		"locales alone, guarded data":      {locales, "/_next/data/BUILD/fr/admin.json", "admin"},
		"locales alone, no base path":      {locales, "/shop/pricing", "default"},
		"locales alone, default language":  {locales, "/blog/x", "open"},
		"neither is taken off when unset":  {config, "/fr/admin", "default"},
		"nor the base path when it is not": {config, "/shop/pricing", "default"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if d := ask(t, c.config, nil, get(c.target)); d.Rule != c.rule || d.Allowed() != slices.Contains([]string{"files", "home", "open"}, c.rule) {
				t.Errorf("%s: %s by %q, want rule %q", c.target, d.Reason, d.Rule, c.rule)
			}
		})
	}
}

// Data is opened where the page is and what it is called is.
func TestDataIsOpenWhereThePageIs(t *testing.T) {
	t.Parallel()
	config := mounted(rules(policy.Rule{Name: "open", Match: paths("/pricing"), Access: policy.Public}))
	for _, target := range []string{"/shop/_next/data/BUILD/pricing.json", "/shop/_next/data/BUILD/fr/pricing.json"} {
		if d := ask(t, config, nil, get(target)); d.Allowed() {
			t.Errorf("%s passes, and nothing opens /_next", target)
		}
	}
}

// A rule for all that is left decides about what it is reached by, not about the
// prefix that all paths have.
func TestARuleForTheRestDoesNotCloseWhatIsOpen(t *testing.T) {
	t.Parallel()
	config := mounted(rulesOrPublic(
		policy.Rule{Name: "open", Match: paths("/pricing", "/"), Access: policy.Public},
		policy.Rule{Name: "rest", Match: paths("/(.*)"), Require: requireRole("org:admin")},
	))
	for target, rule := range map[string]string{"/shop/fr/pricing": "open", "/shop": "open", "/fr": "rest", "/shop/fr/x": "rest", "/SHOP/pricing": "rest"} {
		if d := ask(t, config, nil, get(target)); d.Rule != rule {
			t.Errorf("%s: by %q, want %q", target, d.Rule, rule)
		}
	}
}

func TestParametersAreOfThePathThatTheApplicationReads(t *testing.T) {
	t.Parallel()
	slug := &policy.Requirement{Organization: &policy.Organization{Slug: policy.StringList{":slug"}}}
	path := &policy.Requirement{Expression: `request.path.startsWith("/orgs/")`}
	config := mounted(rules(
		policy.Rule{Name: "orgs", Match: paths("/orgs/:slug(.*)"), Require: slug},
		policy.Rule{Name: "asked", Match: paths("/:locale/teams/:slug"), Require: slug},
		policy.Rule{Name: "any", Match: paths("/:slug"), Require: slug},
	))
	locales := config
	locales.BasePath = ""
	expression := mounted(rules(policy.Rule{Name: "path", Match: paths("/(.*)"), Require: path}))
	for _, c := range []struct {
		config policy.Config
		target string
		passes bool
	}{
		{config, "/shop/fr/orgs/acme/x", true},
		{config, "/shop/orgs/acme", true},
		{config, "/shop/fr/orgs/other", false},
		{config, "/shop/fr/en/orgs/acme", true},
		{locales, "/fr/teams/acme", true}, // by the path as it stands
		{locales, "/fr/teams/other", false},
		{config, "/shop/fr/acme", true},
		{config, "/shop/acme", true},
		{config, "/shop/fr/shop", false},
		{expression, "/shop/fr/orgs/acme", true},
		{expression, "/shop/orgs/", true},
		{expression, "/shop/fr/other", false},
		{expression, "/SHOP/orgs/acme", false}, // not of the application
	} {
		if d := ask(t, c.config, member(), get(c.target)); d.Allowed() != c.passes {
			t.Errorf("%s: %s by %q", c.target, d.Reason, d.Rule)
		}
	}
}

// Limits count what they name with every prefix, and each once.
func TestLimitsCountBelowThePrefix(t *testing.T) {
	t.Parallel()
	config := mounted(rulesOrPublic(
		policy.Rule{Name: "sign-in", Match: paths("/sign-in"), Access: policy.Public, Limits: policy.StringList{"few"}},
		policy.Rule{Name: "tenant", Match: paths("/:tenant/x"), Access: policy.Public, Limits: policy.StringList{"by-tenant"}},
	))
	config.Limits = map[string]policy.Limit{
		"few":       {Limit: 1, Window: policy.Duration(60e9), Key: policy.StringList{"ip"}},
		"by-tenant": {Limit: 1, Window: policy.Duration(60e9), Key: policy.StringList{":tenant", "ip"}},
	}
	for target, want := range map[string]int{
		"/shop/sign-in": 1, "/shop/fr/sign-in": 1, "/SHOP/fr/SIGN-IN": 1, "/shop/fr/en/sign-in": 1, "/shop/pricing": 0,
		"/shop/acme/x": 1, "/shop/fr/acme/x": 1,
	} {
		if d := ask(t, config, nil, get(target)); len(d.Limits) != want {
			t.Errorf("%s: %d limits counted, want %d", target, len(d.Limits), want)
		}
	}
}

// The sign-in page is written as browsers see it, and opened as the application
// reads it; nobody is sent from it to itself.
func TestTheSignInPageBelowTheBasePath(t *testing.T) {
	t.Parallel()
	open := policy.Rule{Name: "sign-in", Match: paths("/sign-in(.*)"), Access: policy.Public}
	browser := []policy.Header{{Name: "Accept", Value: "text/html"}, {Name: "Sec-Fetch-Dest", Value: "document"}}
	signIn := func(config policy.Config) (*policy.Policy, error) {
		nobody := as(nil)
		return policy.New(mounted(config), policy.Deps{Authenticator: nobody, Now: time.Now, Instance: policy.Instance{SignInURL: "/shop/sign-in"}})
	}
	p, err := signIn(rules(open))
	if err != nil {
		t.Fatal(err)
	}
	for target, want := range map[string]int{"/shop/x": 307, "/shop/fr/x": 307, "/shop/sign-in": 200, "/shop/fr/sign-in/factor-one": 200} {
		if d := p.Decide(t.Context(), get(target, browser...)); d.Status != want && !(want == 200 && d.Allowed()) {
			t.Errorf("%s: %d %s", target, d.Status, d.Reason)
		}
	}
	if _, err = signIn(rules()); err == nil || !strings.Contains(err.Error(), "add /sign-in(.*) to a public rule") {
		t.Errorf("%v", err)
	}
	if p, err = signIn(rules(open, policy.Rule{Name: "shut", Match: paths("/fr/sign-in", "/shop/sign-in/tasks")})); err != nil {
		t.Fatal(err)
	}
	for _, target := range []string{"/shop/fr/sign-in", "/shop/sign-in/tasks"} {
		if d := p.Decide(t.Context(), get(target, browser...)); d.Status != 401 {
			t.Errorf("%s: %d %s: a browser is sent around in circles", target, d.Status, d.Reason)
		}
	}
}

// No prefix takes a guard away, whatever the rules: what is refused without one, and
// without the settings, does not pass with one.
func TestNoPrefixOpensAnything(t *testing.T) {
	t.Parallel()
	seed := rand.Uint64()
	r := rand.New(rand.NewPCG(seed, 1))
	patterns := []string{"/admin(.*)", "/admin", "/(.*)", "/((?!admin|fr).*)", "/((?!admin).*)", "/:page", "/:page/admin", "/", "/a/:path*", "/fr/admin", "/shop/admin", "/shop/fr(.*)", "/_next/(.*)", "/shop", "/(.+)"}
	pages := []string{"/admin", "/admin/x", "/", "/a", "/a/b", "/x/admin", "/shop/admin", "/shop", "/admin.json", "/Admin", "/%61dmin", "//admin", "/admin/index.html", "/_next/data/B/admin.json"}
	prefixes := []string{"/shop", "/fr", "/shop/fr", "/SHOP", "/Fr", "/shop/PT-br", "/sh%6Fp", "/shop/%66r", "/shop/", "//shop", "/shop/fr/en", "/fr/shop"}
	refused := 0
	for range 100 {
		config := policy.Config{Default: policy.Default{Access: []policy.Access{policy.Public, policy.Protected}[r.IntN(2)]}, IgnoreWarnings: policy.StringList{policy.WarnRuleUnreachable}}
		for i := range 1 + r.IntN(4) {
			rule := policy.Rule{Name: fmt.Sprint("r", i), Match: paths(patterns[r.IntN(len(patterns))]), Access: []policy.Access{policy.Public, policy.Protected, policy.DenyAccess, policy.Bypass}[r.IntN(4)]}
			if rule.Access == policy.Protected && r.IntN(2) == 0 {
				rule.Require = requireRole("org:admin")
			}
			config.Rules = append(config.Rules, rule)
		}
		asked := as([]*policy.Principal{nil, member()}[r.IntN(2)])
		unset, set := asked.policy(t, config), asked.policy(t, mounted(config))
		for _, page := range pages {
			without := unset.Decide(t.Context(), get(page))
			if without.Allowed() {
				continue
			}
			refused++
			for _, prefix := range prefixes {
				if with := set.Decide(t.Context(), get(prefix+page)); with.Allowed() {
					t.Fatalf("seed %d: %+v: %s is refused (%s by %s), and %s%s passes by %s", seed, config.Rules, page, without.Reason, without.Rule, prefix, page, with.Rule)
				}
			}
		}
	}
	if refused == 0 {
		t.Error("nothing was refused")
	}
}

func TestWrongPrefixesAreErrors(t *testing.T) {
	t.Parallel()
	many := make(policy.StringList, 101)
	for i := range many {
		many[i] = fmt.Sprint("l", i)
	}
	for name, c := range map[string]struct {
		config    policy.Config
		path, has string
	}{
		"no slash":             {policy.Config{BasePath: "shop"}, "base_path", "such as /shop"},
		"a slash at the end":   {policy.Config{BasePath: "/shop/"}, "base_path", "leave the last slash out"},
		"nothing but a slash":  {policy.Config{BasePath: "/"}, "base_path", "leave it out"},
		"a pattern":            {policy.Config{BasePath: "/shop(.*)"}, "base_path", "no pattern"},
		"a parameter":          {policy.Config{BasePath: "/:shop"}, "base_path", "no pattern"},
		"a query":              {policy.Config{BasePath: "/shop?x"}, "base_path", "no pattern"},
		"an escape":            {policy.Config{BasePath: "/sh%6Fp"}, "base_path", "no pattern"},
		"an empty segment":     {policy.Config{BasePath: "/a//b"}, "base_path", "no name"},
		"a dot segment":        {policy.Config{BasePath: "/a/../b"}, "base_path", "no name"},
		"too long":             {policy.Config{BasePath: "/" + strings.Repeat("a", 256)}, "base_path", "256"},
		"a locale with slash":  {policy.Config{Locales: policy.StringList{"en", "/fr"}}, "locales[1]", "not a locale"},
		"an empty locale":      {policy.Config{Locales: policy.StringList{""}}, "locales[0]", "not a locale"},
		"a pattern for locale": {policy.Config{Locales: policy.StringList{"en|fr"}}, "locales[0]", "not a locale"},
		"a long locale":        {policy.Config{Locales: policy.StringList{strings.Repeat("a", 36)}}, "locales[0]", "not a locale"},
		"twice":                {policy.Config{Locales: policy.StringList{"pt-BR", "pt-br"}}, "locales[1]", "there already"},
		"too many":             {policy.Config{Locales: many}, "locales", "100"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			errs := compileErrors(t, c.config, goodDeps())
			if len(errs) != 1 || errs[0].Path != c.path || !strings.Contains(errs[0].Error(), c.has) {
				t.Errorf("%v, want %s: %s", errs, c.path, c.has)
			}
		})
	}
	for _, base := range []string{"/shop", "/a/b", "/my-shop_2.0/~x"} {
		if errs := compileErrors(t, policy.Config{BasePath: base, Locales: policy.StringList{"en", "zh-Hant-TW", "en_US", "default"}}, goodDeps()); len(errs) != 0 {
			t.Errorf("%s: %v", base, errs)
		}
	}
}

func TestPatternsWrittenWithThePrefixAreWarnedOf(t *testing.T) {
	t.Parallel()
	for pattern, want := range map[string]string{
		"/shop": "write /", "/shop/admin": "write /admin", "/SHOP/admin": "write /admin", "/shop(.*)": "write /(.*)", "/fr/admin": "write /admin", "/PT-br/:path*": "write /:path*",
		"/:locale/admin": "write /admin", "/:lang(en|fr)/admin": "leave it out",
		"/shopping": "", "/shop-2": "", "/shop_2": "", "/french": "", "/fr-CA/x": "", "/admin": "", "/:location/x": "",
	} {
		for _, access := range []policy.Access{policy.Public, policy.Protected} {
			got := ""
			for _, w := range as(nil).policy(t, mounted(rules(policy.Rule{Name: "a", Match: paths(pattern), Access: access}))).Warnings() {
				if w.ID == policy.WarnPatternPrefixed && w.Path == "rules[0].match.path[0]" {
					got = w.Suggestion
				}
			}
			if got != want {
				t.Errorf("%s: suggested %q, want %q", pattern, got, want)
			}
		}
		for _, w := range as(nil).policy(t, rules(policy.Rule{Name: "a", Match: paths(pattern)})).Warnings() {
			if w.ID == policy.WarnPatternPrefixed {
				t.Errorf("%s: %v, though nothing is taken off", pattern, w)
			}
		}
	}
}
