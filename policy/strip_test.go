package policy_test

import (
	"testing"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

func TestCredentialsEndHere(t *testing.T) {
	t.Parallel()
	const cookies = "theme=dark; __session=secret; __client_uat_naoXFJnI=1; cart=%7B7"
	config := minting(nil, nil)
	config.StripCredentials = true
	config.Rules = append(config.Rules, policy.Rule{Name: "own", Match: paths("/own"), StripCredentials: new(false)})
	for name, c := range map[string]struct {
		target        string
		authorization string
		wantAuth      string
		wantCookie    string
	}{
		"a session":               {"/x", "Bearer a.b.c", "", "theme=dark; cart=%7B7"},
		"odd spelling":            {"/x", " bEARER\ta.b.c", "", "theme=dark; cart=%7B7"},
		"no scheme":               {"/x", "a.b.c", "", "theme=dark; cart=%7B7"},
		"a public rule":           {"/open", "Bearer a.b.c", "", "theme=dark; cart=%7B7"},
		"past the policy":         {"/past", "Bearer a.b.c", "", "theme=dark; cart=%7B7"},
		"another scheme":          {"/x", "Basic dTpw", "Basic dTpw", "theme=dark; cart=%7B7"},
		"a rule that wants them":  {"/own", "Bearer a.b.c", "Bearer a.b.c", cookies},
		"no Authorization at all": {"/x", "", "", "theme=dark; cart=%7B7"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			r := get(c.target, field("Cookie", cookies))
			if c.authorization != "" {
				r.Headers = append(r.Headers, field("authorization", c.authorization))
			}
			d := goodMint().policy(t, config, admin()).Decide(t.Context(), r)
			if !d.Allowed() {
				t.Fatalf("%s", d.Reason)
			}
			corpus.CheckField(t, "upstream", "Authorization", upstreamOf(r, &d, "Authorization"), c.wantAuth)
			corpus.CheckField(t, "upstream", "Cookie", upstreamOf(r, &d, "Cookie"), c.wantCookie)
			noNameTwice(t, &d)
		})
	}
}

func TestCredentialsEndHereInShadowModeToo(t *testing.T) {
	t.Parallel()
	config := minting(nil, nil)
	config.StripCredentials, config.Mode = true, policy.Shadow
	for _, target := range []string{"/x", "/%00"} {
		r := get(target, field("Cookie", "__session=x"), field("Authorization", "Bearer a.b.c"))
		d := goodMint().policy(t, config, member()).Decide(t.Context(), r)
		if d.Reason != policy.ReasonShadow || len(upstreamOf(r, &d, "Cookie"))+len(upstreamOf(r, &d, "Authorization")) > 0 {
			t.Errorf("%s: %s, removed %v", target, d.Reason, d.RemoveHeaders)
		}
	}
}

// What was renewed on the way is no more the upstream's than what came.
func TestRenewedCredentialsEndHereToo(t *testing.T) {
	t.Parallel()
	for cookie, want := range map[string]string{"a=1; __session=new": "a=1", "__session=new": "", "a=1": "a=1", "": ""} {
		config := rules(policy.Rule{Name: "a", Match: paths("/a")})
		config.StripCredentials = true
		r := get("/a", field("Cookie", "a=1; __session=old"))
		d := renewed(&policy.Forward{Cookie: cookie}).policy(t, config).Decide(t.Context(), r)
		corpus.CheckField(t, "upstream", "Cookie", upstreamOf(r, &d, "Cookie"), want)
		noNameTwice(t, &d)
	}
}
