package policy

import (
	"context"
	"slices"
)

// Unjudged is the rule that decisions name where a request was not to be judged.
const Unjudged = "unjudged"

var unjudged = &rule{name: Unjudged, access: Bypass}

// DecideWhere is Decide for hosts whose own configuration says which paths are to
// be judged. A request is, if any reading of its target is such a path, as it was
// sent or as it is forwarded. All others pass like those that a rule bypasses:
// without what no client may send.
func (p *Policy) DecideWhere(ctx context.Context, r *Request, judged func(path string) bool) Decision {
	return p.decide(ctx, r, nil, judged)
}

// leftOut reports whether the host's configuration keeps the request from being
// judged. The readings are also those of what was sent: see readSent.
func (e *evaluation) leftOut() bool {
	return e.judged != nil && !slices.ContainsFunc(e.target.Readings, e.judged) && !slices.ContainsFunc(e.target.Whole, e.judged)
}
