// Package setup joins the pieces: it reads the configuration document and makes
// a policy with its authenticator, its limiter and its clock. It is the only
// place that does, and it decides nothing.
package setup

import (
	"errors"
	"fmt"
	"os"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/policy"
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

// maxDocument bounds the size of the configuration document.
const maxDocument = 1 << 20

// LoadFile reads and checks the document at path. Warnings are what is allowed
// but probably not meant.
func LoadFile(path string) (config *Config, warnings []string, err error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	if info.Size() > maxDocument {
		return nil, nil, fmt.Errorf("reading the configuration: %s is larger than 1 MiB", path)
	}
	data, err := os.ReadFile(path)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the configuration: %w", err)
	}
	return Load(path, data)
}

// Load reads and checks a document. Everything that is wrong is reported at
// once, with file, line and column.
func Load(name string, data []byte) (config *Config, warnings []string, err error) {
	config = &Config{}
	doc, err := document.Load(name, data, config, document.Options{})
	if err != nil {
		return nil, nil, err
	}
	warnings, err = Check(*config)
	if err != nil {
		return nil, nil, doc.Locate(err)
	}
	return config, warnings, nil
}

// Check compiles the configuration without starting anything.
func Check(config Config) (warnings []string, err error) {
	gate, err := New(config, Options{})
	if err != nil {
		return nil, err
	}
	defer gate.Close()
	return append(config.Clerk.Warnings(), gate.Policy.Warnings()...), nil
}

// validate reports what no single piece can see.
func (c *Config) validate() error {
	return errors.Join(c.Clerk.Validate(), c.Redis.Validate(), c.Revocation.validate())
}
