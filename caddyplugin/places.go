package caddyplugin

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/caddyserver/caddy/v2/caddyconfig/caddyfile"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// places remember where everything stands in the Caddyfile, by the words that
// explain uses. The empty text is the directive itself.
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
	written, err := json.Marshal(r.Config.Config)
	if err != nil || r.File != "" || hasPlaceholder(string(written)) {
		return err
	}
	config := new(setup.Config) // as Caddy will read it
	if err := json.Unmarshal(written, config); err != nil {
		return fmt.Errorf("%w, at %s", err, r.places[""])
	}
	var errs []error
	_, err = policy.New(config.Config, policy.Deps{Authenticator: someone{}, Limiter: someone{}, Sessions: someone{}, Tokens: someone{}, Assertions: someone{}, Now: time.Now})
	if err == nil {
		return nil
	}
	for _, problem := range problems(explain(config, err)) {
		what := ""
		if wrong, ok := errors.AsType[*policy.ConfigError](problem); ok {
			what = wrong.Path
		}
		errs = append(errs, fmt.Errorf("%w, at %s", problem, r.places.of(what)))
	}
	return errors.Join(errs...)
}

// someone stands in for what a policy needs only to decide.
type someone struct{}

func (someone) Authenticate(context.Context, *policy.Request, policy.TokenTypes, time.Time) policy.AuthState {
	return policy.AuthState{Status: policy.Unavailable, Reason: policy.ReasonNoDecision}
}

func (someone) Take(context.Context, time.Time, []policy.LimitCheck, []policy.LimitResult) error {
	return errors.ErrUnsupported
}

func (someone) CreatedAt(context.Context, string) (time.Time, error) {
	return time.Time{}, errors.ErrUnsupported
}

func (someone) Token(context.Context, *policy.Principal, string, time.Time) (string, policy.Reason, error) {
	return "", policy.ReasonClerkUnavailable, errors.ErrUnsupported
}

func (someone) Assertion(*policy.Principal, time.Time) (string, error) {
	return "", errors.ErrUnsupported
}
