package policy

import "context"

// Trace records the steps of a decision, for people who ask why.
type Trace struct {
	Steps []TraceStep
}

// TraceStep is one step: which, what it found, and a remark.
type TraceStep struct {
	Step   string `json:"step"`
	Found  string `json:"found,omitempty"`
	Remark string `json:"remark,omitempty"`
}

// add records a step. On a nil Trace, which is the ordinary case, it does
// nothing.
func (t *Trace) add(step, found, remark string) {
	if t != nil {
		t.Steps = append(t.Steps, TraceStep{step, found, remark})
	}
}

// Explain judges one request as Decide does, and records every step.
func (p *Policy) Explain(ctx context.Context, r *Request) (Decision, *Trace) {
	trace := &Trace{}
	d := p.decide(ctx, r, trace, nil)
	return d, trace
}
