package service

import (
	"io"

	"github.com/clerkgate/clerkgate/internal/frontendapi"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// Finding is what a document says but probably does not mean, and where.
type Finding struct {
	policy.Warning
	// File, Line and Column are where it stands; both count from 1, in characters.
	File         string
	Line, Column int

	text string
}

// String is the finding as a compiler would write it: file, line, column, text, a
// suggestion, and the ID that ignore_warnings takes.
func (f Finding) String() string { return f.text }

// Report is what [Validate] found in a valid document.
type Report struct {
	// Rules is how many rules the document has.
	Rules int
	// Findings are warnings and notes, in the order of the document.
	Findings []Finding
}

// Validate reads the document at path, and finds all that [Open] would refuse. It
// asks nobody for it, neither Clerk nor Redis. The error holds everything that is
// wrong, with file, line and column.
func Validate(path string, o Options) (*Report, error) {
	return reportOf(setup.LoadFile(path, o.check))
}

// ValidateFrom is [Validate] for a document that is not in a file. The name stands
// for it in errors and findings.
func ValidateFrom(name string, document io.Reader, o Options) (*Report, error) {
	return reportOf(setup.LoadFrom(name, document, o.check))
}

// check finds what the pages of a service would refuse of a document that is good
// for decisions. Where there are to be none, a document that has all that the
// Frontend API proxy needs must still describe one that works.
func (o Options) check(config *setup.Config) ([]policy.Warning, error) {
	if o.DecideOnly && (config.Clerk.SecretKey == "" || !frontendapi.IsPath(config.Clerk.ProxyURL)) {
		return nil, nil
	}
	next := state{lease: setup.NewPool(setup.PoolOptions{}).Lease()}
	defer next.lease.Release()
	o.DecideOnly, o.Logger = false, nil
	return next.prepare(config, &o)
}

func reportOf(config *setup.Config, found []setup.Finding, err error) (*Report, error) {
	if err != nil {
		return nil, err
	}
	report := &Report{Rules: len(config.Rules)}
	for _, f := range found {
		report.Findings = append(report.Findings, Finding{Warning: f.Warning, File: f.Position.File, Line: f.Position.Line, Column: f.Position.Column, text: f.String()})
	}
	return report, nil
}
