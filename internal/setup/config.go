// Package setup joins the pieces: it reads the configuration document and makes
// a policy with its authenticator, its limiter and its clock. It is the only
// place that does, and it decides nothing.
package setup

import (
	"cmp"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/policy"
	"github.com/clerkgate/clerkgate/revocation"
	"github.com/clerkgate/clerkgate/session"
)

// Config is the whole configuration document.
type Config struct {
	// Clerk is the instance: keys, parties, sign-in.
	Clerk session.Config `json:"clerk"`
	policy.Config
	// Redis is the store that instances share. Default: each process counts for
	// itself, and knows only the webhooks that reach it.
	Redis Redis `json:"redis,omitzero"`
	// Revocation is about sessions that end before their tokens do.
	Revocation Revocation `json:"revocation,omitzero"`
}

// A Further check is what a host asks of a document that is good for every host.
type Further func(*Config) (warnings []policy.Warning, err error)

// Finding is a warning about a document, and where it stands there.
type Finding struct {
	policy.Warning
	Position document.Position
}

// String is the finding as a compiler would write it:
// clerkgate.yaml:12:7: warning: rules[3].match.path[0]: ... [pattern-also-matches].
func (f Finding) String() string {
	kind := "warning"
	if f.Note {
		kind = "note"
	}
	return f.Position.String() + ": " + kind + ": " + f.Warning.String()
}

// LoadFile reads and checks the document at path. Findings are what is allowed
// but probably not meant, in the order of the document.
func LoadFile(path string, further ...Further) (config *Config, findings []Finding, err error) {
	data, err := document.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	further = append(further, func(*Config) ([]policy.Warning, error) {
		return FileWarnings([]document.File{{Name: path}}), nil
	})
	return Load(path, data, further...)
}

// LoadFrom reads and checks a document that comes from somewhere else.
func LoadFrom(name string, r io.Reader, further ...Further) (config *Config, findings []Finding, err error) {
	data, err := document.ReadAll(r)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Load(name, data, further...)
}

// Load reads and checks a document. Everything that is wrong is reported at
// once, with file, line and column.
func Load(name string, data []byte, further ...Further) (config *Config, findings []Finding, err error) {
	config = &Config{}
	doc, err := document.Load(name, data, config, document.Options{})
	if err != nil {
		return nil, nil, err
	}
	warnings, err := Check(*config)
	warnings = append(warnings, config.Heeded(FileWarnings(doc.Files()))...)
	for _, check := range further {
		if err == nil {
			var more []policy.Warning
			more, err = check(config)
			warnings = append(warnings, config.Heeded(more)...)
		}
	}
	if err != nil {
		return nil, nil, doc.Locate(err)
	}
	for _, warning := range warnings {
		findings = append(findings, Finding{warning, doc.Position(warning.Path)})
	}
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.Position.Line, b.Position.Line), cmp.Compare(a.Position.Column, b.Position.Column))
	})
	return config, findings, nil
}

// Check compiles the configuration without starting anything.
func Check(config Config) (warnings []policy.Warning, err error) {
	gate, err := New(config, Options{})
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	return gate.Warnings(&config), nil
}

// Warnings are what the configuration of the gate says but probably does not
// mean, and does not silence.
func (g *Gate) Warnings(config *Config) []policy.Warning {
	return append(config.Heeded(append(config.Clerk.Warnings(), config.Redis.Warnings()...)), g.Policy.Warnings()...)
}

// validate reports what no single piece can see.
func (c *Config) validate() error {
	return errors.Join(cmp.Or(c.Clerk.Validate(), c.validateSecret()), c.Redis.Validate(), c.Revocation.Validate())
}

// validateSecret reports a webhook secret that no receiver would take.
func (c *Config) validateSecret() error {
	if secret := c.webhookSecret(); secret != "" {
		if _, err := revocation.NewVerifier(secret); err != nil {
			return badSecret(err)
		}
	}
	return nil
}
