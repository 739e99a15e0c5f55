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

// spot is the position of a key of the document in the Caddyfile, as file:line, and
// its name there.
type spot struct {
	At   string `json:"at"`
	Word string `json:"word,omitempty"`
	// Of: the name is that of a block with keys of its own, such as a rule.
	Of bool `json:"of,omitempty"`
}

// places are the spots of a directive by their paths in the document, which errors and
// warnings name. The empty path is the directive itself. A handler's configuration
// keeps the spots that may be needed when the server starts, without the Caddyfile.
type places map[string]spot

// position returns the file and line of the cursor.
func position(d *caddyfile.Dispenser) string { return fmt.Sprintf("%s:%d", d.File(), d.Line()) }

// recordPositions returns the subdirectives of a block, each of which records its spot
// before it is read. path is the prefix of their paths in the document, and of that of
// their names in messages.
func (p places) recordPositions(w subdirectives, path, of string) subdirectives {
	for name, known := range w {
		if known.key == unrecorded {
			continue
		}
		noted := known
		noted.read = func(d *caddyfile.Dispenser) error {
			p[path+cmp.Or(known.key, name)] = spot{At: position(d), Word: of + name}
			return known.read(d)
		}
		w[name] = noted
	}
	return w
}

// lookup returns the spot of a path of the document, or else that of the nearest path
// above it, with the name that the Caddyfile has for the path.
func (p places) lookup(path string) spot {
	for known := path; known != ""; known = known[:max(0, strings.LastIndexAny(known, ".["))] {
		if s, ok := p[known]; ok {
			s.Word = s.named(known, path[len(known):])
			return s
		}
	}
	return spot{At: p[""].At, Word: strings.TrimPrefix(path, "clerk.")}
}

// named returns the Caddyfile's name for what is below the path of the spot. The items
// of a list that the Caddyfile writes line by line have the name of the line.
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

// check compiles the policy that was read, so that errors name lines of the Caddyfile.
// Values with placeholders are known only when the server runs: Provision checks them.
func (r *reader) check() error {
	if err := r.standsAlone(); err != nil {
		return fmt.Errorf("%w, at %s", err, r.places[""].At)
	}
	r.Places = r.places.neededAtStart(&r.Config, nil)
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
		r.Places = r.places.neededAtStart(&r.Config, append(r.warnings(), warnings...))
	}
	return errors.Join(errs...)
}

// available returns the services that the policy will have, as far as they are known
// here: a directive that names its instance inherits no secret key.
func (r *reader) available(isValid bool) policy.Available {
	canAsk := r.Clerk.PublishableKey == "" || r.Clerk.SecretKey != ""
	a := policy.Available{Sessions: canAsk, Tokens: canAsk, Assertions: true}
	if isValid && !hasPlaceholder(r.Clerk.SignInURL) && !slices.ContainsFunc(r.Clerk.AuthorizedParties, hasPlaceholder) {
		a.Instance = policy.Instance{SignInURL: r.Clerk.SignInURL, Origins: r.Clerk.AuthorizedParties}
	}
	return a
}

// warnings are those about the directive's own Redis and instance settings; inherited
// ones are checked by the global option.
func (r *reader) warnings() []policy.Warning {
	warnings := r.Redis.Warnings()
	if r.Clerk.PublishableKey != "" {
		warnings = append(warnings, r.Clerk.Warnings()...)
	}
	return warnings
}

// errors adds to each error inside err its position and name in the Caddyfile; without
// a Caddyfile they stay as they are. Secrets are removed from the texts.
func (p places) errors(err error) []error {
	var errs []error
	for _, problem := range joined.Each(err) {
		if _, placed := errors.AsType[placedError](problem); !placed && p[""].At != "" {
			at := p[""]
			if wrong, ok := errors.AsType[*policy.ConfigError](problem); ok {
				at = p.lookup(wrong.Path)
				if problem == error(wrong) { // and not an error that wraps it
					problem = &policy.ConfigError{Path: at.Word, Msg: wrong.Msg, Suggestion: wrong.Suggestion}
				}
			}
			problem = fmt.Errorf("%w, at %s", problem, at.At)
		}
		errs = append(errs, withoutSecrets(problem))
	}
	return errs
}

// locate is errors joined into one, for a handler that is being provisioned.
func (p places) locate(err error) error {
	errs := p.errors(err)
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}

// placedError is an error whose text already has the position.
type placedError struct{ error }

// neededAtStart returns the places that messages of the starting server need: those of
// the warnings, and those of values with placeholders, which can be invalid then only.
func (p places) neededAtStart(config *setup.Config, warnings []policy.Warning) places {
	kept := places{"": p[""]}
	keep := func(path string) { kept[path] = p.lookup(path) }
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

// add adds the places of inherited settings.
func (p places) add(others places) {
	for path, at := range others {
		if _, own := p[path]; !own && p != nil {
			p[path] = at
		}
	}
}

// instanceBlock reads the block of a directive beside clerk_auth, and checks its
// settings, except values with placeholders.
func instanceBlock(d *caddyfile.Dispenser, of string, w subdirectives, config func() setup.Config) (places, error) {
	p := places{"": {At: position(d)}}
	if err := p.recordPositions(w, "", "").block(d, of); err != nil {
		return nil, err
	}
	own := config()
	if err := p.locate(checkInstance(&own)); err != nil {
		return nil, err
	}
	return p.neededAtStart(&own, nil), nil
}

// checkInstance validates the clerk, redis and revocation settings of a directive,
// except values with placeholders.
func checkInstance(config *setup.Config) error {
	errs := []error{checkClerk(config.Clerk), config.Revocation.Validate()}
	if written, err := json.Marshal(config.Redis); err != nil || !hasPlaceholder(string(written)) {
		errs = append(errs, config.Redis.Validate())
	}
	return errors.Join(errs...)
}

// checkClerk validates a clerk section, except values with placeholders. Settings that
// it lacks may be inherited.
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
