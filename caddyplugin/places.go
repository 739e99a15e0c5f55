package caddyplugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// places remember where things stand in the Caddyfile, by the words that explain
// uses. The empty text is the directive itself. A handler's configuration keeps
// those that are asked for when the server starts, which knows no Caddyfile.
type places map[string]string

// place is the file and line of the cursor.
func place(d *caddyfile.Dispenser) string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }

// noting returns the same words, each of which notes its place first.
func (p places) noting(w words, prefix string) words {
	for name, known := range w {
		w[name] = word{repeats: known.repeats, read: func(d *caddyfile.Dispenser) error {
			p[prefix+name] = place(d)
			return known.read(d)
		}}
	}
	return w
}

// of returns where a thing stands, or what it belongs to.
func (p places) of(what string) string {
	for ; what != ""; what = what[:max(0, strings.LastIndexAny(what, ".:"))] {
		if at, ok := p[what]; ok {
			return at
		}
	}
	return p[""]
}

// check compiles the policy that was read, while it can still be said on which
// line what is wrong. Values that are known only when the server runs are left
// to Provision.
func (r *reader) check() error {
	if err := r.standsAlone(); err != nil {
		return fmt.Errorf("%w, at %s", err, r.places[""])
	}
	r.Places = r.places.kept(&r.Config, nil)
	if r.File != "" {
		return nil
	}
	errs := r.places.errors(explain(&r.Config, checkInstance(&r.Config)))
	written, err := json.Marshal(r.Config.Config)
	if err != nil || hasPlaceholder(string(written)) {
		return errors.Join(append(errs, err)...)
	}
	config := new(setup.Config) // as Caddy will read it
	if err := json.Unmarshal(written, config); err != nil {
		return fmt.Errorf("%w, at %s", err, r.places[""])
	}
	warnings, err := policy.Check(config.Config, r.available(len(errs) == 0))
	if r.Assertion != nil {
		_, signing := assertion.New(*r.Assertion)
		err = errors.Join(err, signing)
	}
	if errs = append(errs, r.places.errors(explain(config, err))...); len(errs) == 0 {
		r.Places = r.places.kept(&r.Config, append(r.warnings(), warnings...))
	}
	return errors.Join(errs...)
}

// available is what the policy will have, as far as that can be told here: a
// directive that names its instance takes no secret key from elsewhere.
func (r *reader) available(isValid bool) policy.Available {
	canAsk := r.Clerk.PublishableKey == "" || r.Clerk.SecretKey != ""
	a := policy.Available{Sessions: canAsk, Tokens: canAsk, Assertions: true}
	if isValid && !hasPlaceholder(r.Clerk.SignInURL) && !slices.ContainsFunc(r.Clerk.AuthorizedParties, hasPlaceholder) {
		a.Instance = policy.Instance{SignInURL: r.Clerk.SignInURL, Origins: r.Clerk.AuthorizedParties}
	}
	return a
}

// warnings are about what the directive itself says of the instance. Else it comes
// from the global option.
func (r *reader) warnings() []policy.Warning {
	warnings := r.Redis.Warnings()
	if r.Clerk.PublishableKey != "" {
		warnings = append(warnings, r.Clerk.Warnings()...)
	}
	return warnings
}

// errors says of each thing that is wrong where it stands; where there is no
// Caddyfile, just what is wrong.
func (p places) errors(err error) []error {
	var errs []error
	if err == nil {
		return nil
	}
	for _, problem := range problems(err) {
		what := ""
		if wrong, ok := errors.AsType[*policy.ConfigError](problem); ok {
			what = wrong.Path
		}
		if _, placed := errors.AsType[placedError](problem); !placed && p.of(what) != "" {
			problem = fmt.Errorf("%w, at %s", problem, p.of(what))
		}
		errs = append(errs, withoutSecrets(problem))
	}
	return errs
}

// locate is errors, for a handler that is being provisioned.
func (p places) locate(err error) error {
	errs := p.errors(err)
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// placedError says itself where it stands.
type placedError struct{ error }

// kept are the places of what is warned of when the server starts, and of what can
// be wrong then only: values that a placeholder stands for.
func (p places) kept(config *setup.Config, warnings []policy.Warning) places {
	kept := places{"": p[""]}
	keep := func(path string) {
		word := readable(&config.Config, path)
		kept[word] = p.of(word)
	}
	for _, w := range warnings {
		if !w.Note {
			keep(w.Path)
		}
	}
	for _, path := range placeholdersIn(config) {
		keep(path)
	}
	return kept
}

// add fills in where stands what comes from elsewhere.
func (p places) add(others places) {
	for word, at := range others {
		if _, own := p[word]; !own && p != nil {
			p[word] = at
		}
	}
}

// instanceBlock reads the block of a directive beside clerk_auth, and checks what
// it says of the instance as far as that is written out.
func instanceBlock(d *caddyfile.Dispenser, of string, w words, config func() setup.Config) (places, error) {
	p := places{"": place(d)}
	if err := p.noting(w, "").block(d, of); err != nil {
		return nil, err
	}
	own := config()
	if err := p.locate(explain(&own, checkInstance(&own))); err != nil {
		return nil, err
	}
	return p.kept(&own, nil), nil
}

// checkInstance finds what is wrong with what a directive says of the instance, as
// far as it is written out.
func checkInstance(config *setup.Config) error {
	errs := []error{checkClerk(config.Clerk), config.Revocation.Validate()}
	if written, err := json.Marshal(config.Redis); err != nil || !hasPlaceholder(string(written)) {
		errs = append(errs, config.Redis.Validate())
	}
	return errors.Join(errs...)
}

// checkClerk finds what is wrong with a clerk section as far as it is written out.
// What it does not say may come from elsewhere.
func checkClerk(clerk session.Config) error {
	var errs []error
	unknown := map[string]bool{}
	section := reflect.ValueOf(&clerk).Elem()
	for i := range section.NumField() {
		name, _, _ := strings.Cut(section.Type().Field(i).Tag.Get("json"), ",")
		if value := section.Field(i); value.Kind() == reflect.String && (value.String() == "" || hasPlaceholder(value.String())) {
			unknown["clerk."+name] = true
			value.SetString("")
		}
	}
	clerk.AuthorizedParties = slices.DeleteFunc(slices.Clone(clerk.AuthorizedParties), hasPlaceholder)
	for _, problem := range problems(clerk.Validate()) {
		wrong, ok := errors.AsType[*policy.ConfigError](problem)
		if problem != nil && (!ok || !unknown[wrong.Path] && (wrong.Path != "clerk.satellite" || !unknown["clerk.domain"])) {
			errs = append(errs, problem)
		}
	}
	return errors.Join(errs...)
}
