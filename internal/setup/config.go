// Package setup reads the configuration document and makes a policy with its
// authenticator, its limiter and its clock. It is the only package that does, and makes
// no decision.
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
	// Clerk is the Clerk instance: its keys, authorized parties and sign-in URL.
	Clerk session.Config `json:"clerk"`
	policy.Config
	// Redis is the store in which processes share rate limit counts and revocations.
	// Default: none; each process counts by itself, and knows only the revocations of
	// the webhooks that it receives.
	Redis Redis `json:"redis,omitzero"`
	// Revocation is about sessions that end before their tokens expire.
	Revocation Revocation `json:"revocation,omitzero"`
}

// Further is an additional check of a host, for a document that is valid for all hosts.
type Further func(*Config) (warnings []policy.Warning, err error)

// Finding is a warning about a document, with its position there.
type Finding struct {
	policy.Warning
	Position document.Position
}

// String returns the finding in the format of compilers:
// clerkgate.yaml:12:7: warning: rules[3].match.path[0]: ... [pattern-also-matches].
func (f Finding) String() string {
	kind := "warning"
	if f.Note {
		kind = "note"
	}
	return f.Position.String() + ": " + kind + ": " + f.Warning.String()
}

// LoadFile reads and checks the document at path. The findings are valid settings that
// are probably mistakes, in the order of the document.
func LoadFile(path string, further ...Further) (config *Config, findings []Finding, err error) {
	return new(Reading).LoadFile(path, further...)
}

// loadFile is [LoadFile] by a function that reads files.
func loadFile(path string, read func(string) ([]byte, error), further []Further) (config *Config, findings []Finding, err error) {
	data, err := read(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	further = append(further, func(*Config) ([]policy.Warning, error) {
		return FileWarnings([]document.File{{Name: path}}), nil
	})
	return load(path, data, document.Options{ReadFile: read}, further)
}

// LoadFrom reads and checks a document from a reader; name is its name in errors.
func LoadFrom(name string, r io.Reader, further ...Further) (config *Config, findings []Finding, err error) {
	data, err := document.ReadAll(r)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Load(name, data, further...)
}

// Load reads and checks a document. Its error joins all errors, each with file, line and
// column.
func Load(name string, data []byte, further ...Further) (config *Config, findings []Finding, err error) {
	return load(name, data, document.Options{}, further)
}

func load(name string, data []byte, o document.Options, further []Further) (config *Config, findings []Finding, err error) {
	config = &Config{}
	doc, err := document.Load(name, data, config, o)
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

// Check compiles the configuration and returns its warnings. It starts nothing.
func Check(config Config) (warnings []policy.Warning, err error) {
	gate, err := New(config, Options{})
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	return gate.Warnings(&config), nil
}

// Warnings returns valid settings of the gate's configuration that are probably mistakes,
// except those in ignore_warnings.
func (g *Gate) Warnings(config *Config) []policy.Warning {
	return append(config.Heeded(append(config.Clerk.Warnings(), config.Redis.Warnings()...)), g.Policy.Warnings()...)
}

// validate validates the sections that the policy does not have.
func (c *Config) validate() error {
	return errors.Join(cmp.Or(c.Clerk.Validate(), c.validateSecret()), c.Redis.Validate(), c.Revocation.Validate())
}

// validateSecret returns an error for an invalid webhook secret.
func (c *Config) validateSecret() error {
	if secret := c.webhookSecret(); secret != "" {
		if _, err := revocation.NewVerifier(secret); err != nil {
			return badSecret(err)
		}
	}
	return nil
}
