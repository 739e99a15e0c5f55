package service

import (
	"fmt"
	"strings"
	"time"

	"github.com/clerkgate/clerkgate/internal/redact"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/session"
)

// PartState is how a part of a service stands.
type PartState string

// The states of a part.
const (
	// PartOK says that nothing is wrong.
	PartOK PartState = "ok"
	// PartWarning says that something is wrong, and that requests are decided
	// nevertheless.
	PartWarning PartState = "warning"
	// PartNotReady says that requests cannot be decided.
	PartNotReady PartState = "not ready"
)

// Part is one thing that a service needs.
type Part struct {
	Name  string    `json:"name"`
	State PartState `json:"state"`
	// Detail says what is wrong, for people. No secret is in it.
	Detail string `json:"detail,omitempty"`
}

// String is the part as Kubernetes writes one: [+]keys ok, [-]keys not ready: why, and
// [!] before a warning.
func (p Part) String() string {
	mark := map[PartState]string{PartOK: "+", PartWarning: "!"}[p.State]
	if mark == "" {
		mark = "-"
	}
	text := "[" + mark + "]" + p.Name + " " + string(p.State)
	if p.Detail != "" {
		text += ": " + p.Detail
	}
	return text
}

// Readiness is how all parts of a service stand.
type Readiness struct {
	// Ready says that no part is not ready.
	Ready bool   `json:"ready"`
	Parts []Part `json:"parts"`
}

// With returns the readiness with one more part, of the program's own.
func (r Readiness) With(p Part) Readiness {
	return Readiness{Ready: r.Ready && p.State != PartNotReady, Parts: append(r.Parts[:len(r.Parts):len(r.Parts)], p)}
}

// NotReady returns the parts that are not ready.
func (r Readiness) NotReady() []Part {
	var missing []Part
	for _, p := range r.Parts {
		if p.State == PartNotReady {
			missing = append(missing, p)
		}
	}
	return missing
}

// String is a line for each part, and as the last one "ready" or "not ready".
func (r Readiness) String() string {
	var text strings.Builder
	for _, p := range r.Parts {
		text.WriteString(p.String() + "\n")
	}
	if r.Ready {
		return text.String() + "ready\n"
	}
	return text.String() + "not ready\n"
}

// Readiness says how each part of the service stands: the document, the keys of the
// instance, what is known of ended sessions, and Redis, if the document names one. A
// document that is not valid is a warning: the one before stays in force.
func (s *Service) Readiness() Readiness {
	r := Readiness{Ready: true}
	current, last := s.state.Load(), s.last.Load()
	if current == nil || last == nil {
		return r.With(Part{"document", PartNotReady, "no document is in force"})
	}
	r = r.With(documentPart(last)).With(keysPart(current.gate.Session.Keys(), current.gate.Session.Ready())).With(revocationsPart(current.gate.Stores))
	if current.gate.Stores.Shared != nil {
		r = r.With(redisPart(current.gate.Stores))
	}
	return r
}

func documentPart(last *attempt) Part {
	if last.err == nil {
		return Part{"document", PartOK, fmt.Sprintf("hash %s, %d rules", last.read.Hash(), last.rules)}
	}
	return Part{"document", PartWarning, "not valid, and the one before stays in force: " + oneLine(last.err)}
}

func keysPart(keys session.Keys, ready bool) Part {
	switch {
	case keys.Configured:
		return Part{"keys", PartOK, "those of the document"}
	case !ready && keys.Err != nil:
		return Part{"keys", PartNotReady, oneLine(keys.Err)}
	case !ready:
		return Part{"keys", PartNotReady, "they are being fetched"}
	case keys.Err != nil:
		return Part{"keys", PartWarning, fmt.Sprintf("those of %s are used: %s", keys.Fetched.UTC().Format(time.RFC3339), oneLine(keys.Err))}
	}
	return Part{"keys", PartOK, "fetched at " + keys.Fetched.UTC().Format(time.RFC3339)}
}

func revocationsPart(stores *setup.Stores) Part {
	away := stores.Revocations.Away() > 0
	switch ready := stores.Ready(); {
	case ready && away:
		return Part{"revocations", PartWarning, "what other processes make known does not arrive, as Redis does not answer"}
	case ready:
		return Part{"revocations", PartOK, ""}
	}
	return Part{"revocations", PartNotReady, "not all that is in Redis has been read"}
}

func redisPart(stores *setup.Stores) Part {
	var wrong []string
	if away := stores.Revocations.Away(); away > 0 {
		text := fmt.Sprintf("it has not been read for %s", away.Round(time.Second))
		if err := stores.Revocations.StoreError(); err != nil {
			text += ": " + oneLine(err)
		}
		wrong = append(wrong, text)
	}
	if stores.Shared.OpenBreakers() > 0 {
		wrong = append(wrong, "limits go by their on_store_error")
	}
	if len(wrong) > 0 {
		return Part{"redis", PartWarning, strings.Join(wrong, "; ")}
	}
	return Part{"redis", PartOK, ""}
}

// longestLine bounds what is said of an error.
const longestLine = 300

// oneLine is the first line of an error, without secrets.
func oneLine(err error) string {
	line, _, _ := strings.Cut(redact.Text(err.Error()), "\n")
	if runes := []rune(line); len(runes) > longestLine {
		line = string(runes[:longestLine]) + "..."
	}
	return line
}
