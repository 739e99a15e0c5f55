package caddyplugin

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/internal/assertion"
	"github.com/clerkgate/clerkgate/internal/joined"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/session"
)

// spot is where a key of the document stands in the Caddyfile, and its word there.
type spot struct {
	At   string `json:"at"`
	Word string `json:"word,omitempty"`
	// Of: the word is the name of a thing that has keys of its own.
	Of bool `json:"of,omitempty"`
}

// places are the spots of a directive by their paths in the document, which is what
// errors and warnings name. The empty path is the directive itself. A handler's
// configuration keeps those that are asked for when the server starts, which knows
// no Caddyfile.
type places map[string]spot

// place is the file and line of the cursor.
func place(d *caddyfile.Dispenser) string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }

// noting returns the same words, each of which notes its spot first: below a path of
// the document, and in a block that is named so.
func (p places) noting(w words, path, of string) words {
	for name, known := range w {
		if known.key == unnoted {
			continue
		}
		noted := known
		noted.read = func(d *caddyfile.Dispenser) error {
			p[path+cmp.Or(known.key, name)] = spot{At: place(d), Word: of + name}
			return known.read(d)
		}
		w[name] = noted
	}
	return w
}

// of returns where a path of the document stands, or what it belongs to, with what
// it is called there.
func (p places) of(path string) spot {
	for known := path; known != ""; known = known[:max(0, strings.LastIndexAny(known, ".["))] {
		if s, ok := p[known]; ok {
			s.Word = s.named(known, path[len(known):])
			return s
		}
	}
	return spot{At: p[""].At, Word: strings.TrimPrefix(path, "clerk.")}
}

// named is the word for what is below a path that stands there. What a Caddyfile
// writes line by line, under a word of its own, has the word of the line.
func (s spot) named(path, below string) string {
	below, _, _ = strings.Cut(below, "[")
	switch {
	case below == "":
		return s.Word
	case s.Of:
		return s.Word + ": " + strings.TrimPrefix(below, ".")
	case strings.HasSuffix(s.Word, path[strings.LastIndexByte(path, '.')+1:]):
		return s.Word + below
	}
	return s.Word
}

// check compiles the policy that was read, while it can still be said on which
// line what is wrong. Values that are known only when the server runs are left
// to Provision.
func (r *reader) check() error {
	if err := r.standsAlone(); err != nil {
		return fmt.Errorf("%w, at %s", err, r.places[""].At)
	}
	r.Places = r.places.kept(&r.Config, nil)
	if r.File != "" {
		return nil
	}
	errs := r.places.errors(checkInstance(&r.Config))
	written, err := json.Marshal(r.Config.Config)
	if err != nil || hasPlaceholder(string(written)) {
		return errors.Join(append(errs, err)...)
	}
	config := new(setup.Config) // as Caddy will read it
	if err := json.Unmarshal(written, config); err != nil {
		return fmt.Errorf("%w, at %s", err, r.places[""].At)
	}
	warnings, err := policy.Check(config.Config, r.available(len(errs) == 0))
	if r.Assertion != nil {
		_, signing := assertion.New(*r.Assertion)
		err = errors.Join(err, signing)
	}
	if errs = append(errs, r.places.errors(err)...); len(errs) == 0 {
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

// errors says of each thing that is wrong where it stands, in the words of the
// Caddyfile; where there is no Caddyfile, just what is wrong.
func (p places) errors(err error) []error {
	var errs []error
	for _, problem := range joined.Each(err) {
		if _, placed := errors.AsType[placedError](problem); !placed && p[""].At != "" {
			at := p[""]
			if wrong, ok := errors.AsType[*policy.ConfigError](problem); ok {
				at = p.of(wrong.Path)
				if problem == error(wrong) { // and no error with something around it
					problem = &policy.ConfigError{Path: at.Word, Msg: wrong.Msg, Suggestion: wrong.Suggestion}
				}
			}
			problem = fmt.Errorf("%w, at %s", problem, at.At)
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
	keep := func(path string) { kept[path] = p.of(path) }
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
	for path, at := range others {
		if _, own := p[path]; !own && p != nil {
			p[path] = at
		}
	}
}

// instanceBlock reads the block of a directive beside clerk_auth, and checks what
// it says of the instance as far as that is written out.
func instanceBlock(d *caddyfile.Dispenser, of string, w words, config func() setup.Config) (places, error) {
	p := places{"": {At: place(d)}}
	if err := p.noting(w, "", "").block(d, of); err != nil {
		return nil, err
	}
	own := config()
	if err := p.locate(checkInstance(&own)); err != nil {
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
	for _, problem := range joined.Each(clerk.Validate()) {
		wrong, ok := errors.AsType[*policy.ConfigError](problem)
		if problem != nil && (!ok || !unknown[wrong.Path] && (wrong.Path != "clerk.satellite" || !unknown["clerk.domain"])) {
			errs = append(errs, problem)
		}
	}
	return errors.Join(errs...)
}
