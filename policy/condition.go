package policy

import (
	"context"
	"errors"
	"time"
)

// Condition is a compiled [Requirement] that stands alone, without a rule. It is
// immutable and safe for concurrent use. No principal satisfies the zero
// Condition.
type Condition struct {
	requirement conjunction
	// reader reads requests, where the requirement is about them; nil otherwise.
	reader *Policy
}

// CompileRequirement compiles a requirement that stands alone: its paths have no
// parameters. Its error joins a [*ConfigError] for everything that is wrong, whose
// path begins with "require".
func CompileRequirement(r Requirement) (*Condition, error) {
	compiler := requirementCompiler{}
	c := &Condition{requirement: compiler.compile("require", &r)}
	errs := compiler.errs
	if compiler.usesRequest {
		c.reader, errs = compile(Config{}, Available{})
		errs = append(errs, compiler.errs...)
	}
	if len(errs) > 0 {
		return nil, errors.Join(errs...)
	}
	return c, nil
}

// ReadsRequest reports whether the requirement is about the request, and not about
// the principal alone.
func (c *Condition) ReadsRequest() bool { return c.reader != nil }

// IsMet reports whether p meets the requirement at that time. The request may be nil
// unless [Condition.ReadsRequest]; with a malformed one no principal does. A
// requirement that cannot be decided is not met.
func (c *Condition) IsMet(ctx context.Context, p *Principal, r *Request, now time.Time) (ok bool) {
	defer func() {
		if recover() != nil {
			ok = false
		}
	}()
	if p == nil || len(c.requirement) == 0 {
		return false
	}
	e := evaluation{policy: c.reader, subject: subject{ctx: ctx, principal: p, request: r, now: now}}
	if c.reader != nil {
		if reason := e.readRequest(); reason != "" {
			return false
		}
	}
	t, _, _ := c.requirement.check(&e.subject)
	return t == met
}
