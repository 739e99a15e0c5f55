package policy_test

import (
	"context"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/clerkgate/clerkgate/internal/corpus"
	"github.com/clerkgate/clerkgate/policy"
)

// notTold are the fields of a principal that no name is given to: they decide, and
// nobody is told of them.
var notTold = []string{"SessionStatus", "TokenDigest", "CredentialID"}

// A field that a principal gets must have a name, or be one of those that have none.
func TestEveryFieldOfAPrincipalHasAName(t *testing.T) {
	t.Parallel()
	principals := corpus.PrincipalsByField()
	for _, field := range reflect.VisibleFields(reflect.TypeFor[policy.Principal]()) {
		text := field.Type.Kind() == reflect.String || field.Type == reflect.TypeFor[[]string]()
		if !field.IsExported() || !text || slices.Contains(notTold, field.Name) {
			continue
		}
		p, ok := principals[field.Name]
		if !ok {
			t.Errorf("corpus.WholePrincipal lacks %s", field.Name)
			continue
		}
		named := slices.DeleteFunc(policy.Attributes(), func(a policy.Attribute) bool { return a.Text(p) == "" })
		if len(named) != 1 {
			t.Errorf("%s has %d names; add it to the attributes, or to those that have none", field.Name, len(named))
		}
	}
}

// What is said of principals somewhere is said of each attribute.
func TestEveryAttributeIsToldEverywhere(t *testing.T) {
	t.Parallel()
	p := corpus.WholePrincipal()
	documentation := read(t, "../docs/policy.md")
	sources := regexp.MustCompile("(?m)^\\| `identity_headers` .*$").FindString(documentation)
	comment := regexp.MustCompile(`(?s)IdentityHeaders maps.*?IdentityHeaders map`).FindString(read(t, "config.go"))
	_, wrong := policy.Check(policy.Config{IdentityHeaders: map[string]string{"X-A": "nothing"}}, policy.Available{})
	for _, a := range policy.Attributes() {
		want := a.Text(p)
		if !strings.Contains(sources, "`"+a.Name+"`") {
			t.Errorf("docs/policy.md does not list %s as a source of identity_headers", a.Name)
		}
		if !regexp.MustCompile(`\b` + a.Name + `\b`).MatchString(comment) {
			t.Errorf("the comment of Config.IdentityHeaders does not list %s", a.Name)
		}
		if wrong == nil || !strings.Contains(wrong.Error(), a.Name) {
			t.Errorf("the error of an unknown source does not list %s: %v", a.Name, wrong)
		}
		expression := "principal." + a.Name + ` == "` + want + `"`
		if a.IsList() {
			expression = "principal." + a.Name + `[1] == "` + want[strings.Index(want, a.Separator)+1:] + `"`
		}
		config := policy.Config{
			IdentityHeaders: map[string]string{"X-A": a.Name},
			Rules: []policy.Rule{{Name: "all", Match: policy.Match{Path: policy.StringList{"/(.*)"}}, Accept: policy.TokenTypes{policy.AnyToken},
				Require: &policy.Requirement{Expression: expression}}},
		}
		compiled, err := policy.New(config, policy.Deps{Now: time.Now, Authenticator: whole{}})
		if err != nil {
			t.Fatal(err)
		}
		d := compiled.Decide(t.Context(), &policy.Request{Method: "GET", Version: 1, Scheme: "https", Host: "app.example.com", Target: "/"})
		if !d.Allowed() || !slices.Contains(d.SetHeaders, policy.Header{Name: "X-A", Value: want}) {
			t.Errorf("%s: %s (%v), headers %v", expression, d.Reason, d.Cause, d.SetHeaders)
		}
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// whole signs in somebody who has every attribute.
type whole struct{}

func (whole) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return policy.AuthState{Status: policy.SignedIn, Presented: true, Principal: corpus.WholePrincipal()}
}
