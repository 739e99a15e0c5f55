// Package answer makes the bodies by which a request is answered that does not reach
// its handler, in the forms that clients ask for. It knows nothing of why.
package answer

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"github.com/munnerz/goautoneg"
)

// Bodies are one answer in the forms clients ask for, made once.
type Bodies struct {
	json, html, text []byte
}

// The media types of answers. The first is what clients get who do not mind.
var mediaTypes = []string{"application/problem+json", "application/json", "text/html", "text/plain"}

// maxAccept bounds the Accept field that is negotiated on.
const maxAccept = 1024

// Negotiate picks the body and its Content-Type by Accept (RFC 9110 § 12.5.1).
func (b *Bodies) Negotiate(accept string) (body []byte, contentType string) {
	chosen := mediaTypes[0]
	if accept != "" && len(accept) <= maxAccept {
		if match := goautoneg.Negotiate(accept, mediaTypes); match != "" {
			chosen = match
		}
	}
	switch chosen {
	case "text/html":
		return b.html, "text/html; charset=utf-8"
	case "text/plain":
		return b.text, "text/plain; charset=utf-8"
	default:
		return b.json, chosen
	}
}

// Problem is the JSON form of an answer: problem details (RFC 9457) with an
// error string and our stable reason.
type Problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Error  string `json:"error"`
	Reason string `json:"reason"`
	// ViolatedPolicies names the limits exceeded, as the problem type
	// quota-exceeded of the rate-limit fields draft has it.
	ViolatedPolicies []string `json:"violated-policies,omitempty"`
	// ClerkError is the hint that makes Clerk's front end ask for verification
	// and try again.
	ClerkError *clerkError `json:"clerk_error,omitempty"`
}

type clerkError struct {
	Type     string        `json:"type"`
	Reason   string        `json:"reason"`
	Metadata clerkMetadata `json:"metadata"`
}

type clerkMetadata struct {
	Reverification any `json:"reverification"`
}

const quotaExceeded = "https://iana.org/assignments/http-problem-types#quota-exceeded"

// New makes the answer of a status, with a sentence for people and a reason for
// programs.
func New(status int, detail, reason string) *Bodies {
	return newProblem(status, detail, reason).bodies()
}

// NewQuotaExceeded is New for a request that exceeds a limit.
func NewQuotaExceeded(status int, detail, reason, limit string) *Bodies {
	p := newProblem(status, detail, reason)
	p.Type, p.ViolatedPolicies = quotaExceeded, []string{limit}
	return p.bodies()
}

// NewReverification is New for a user who must verify again, in the form that
// Clerk's front end understands: a preset of its name, or a level and how many
// minutes ago it may have been verified at most.
func NewReverification(status int, detail, reason, preset, level string, minutes float64) *Bodies {
	p := newProblem(status, detail, reason)
	var hint any = preset
	if preset == "" {
		hint = struct {
			Level        string  `json:"level"`
			AfterMinutes float64 `json:"afterMinutes"`
		}{level, minutes}
	}
	p.ClerkError = &clerkError{"forbidden", reason, clerkMetadata{hint}}
	return p.bodies()
}

func newProblem(status int, detail, reason string) *Problem {
	title := http.StatusText(status)
	return &Problem{Type: "about:blank", Title: title, Status: status, Detail: detail, Error: errorWord(title), Reason: reason}
}

// errorWord is the short machine-readable word for the title of a status.
func errorWord(title string) string { return strings.ReplaceAll(strings.ToLower(title), " ", "_") }

func (p *Problem) bodies() *Bodies {
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // the struct above always marshals
	}
	var html bytes.Buffer
	if err := page.Execute(&html, p); err != nil {
		panic(err)
	}
	return &Bodies{json: append(text, '\n'), html: html.Bytes(), text: []byte(p.Title + ": " + p.Detail + "\n")}
}

// page is the HTML form of an answer.
var page = template.Must(template.New("answer").Parse(`<!doctype html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<meta name="robots" content="noindex">
<title>{{.Title}}</title>
<style>
:root{color-scheme:light dark}
body{margin:0;min-height:100vh;display:grid;place-items:center;font:1rem/1.5 system-ui,sans-serif;background:Canvas;color:CanvasText}
main{max-width:32rem;padding:2rem}
h1{font-size:1.5rem;margin:0 0 .5rem}
p{margin:.5rem 0}
small{opacity:.7}
</style>
</head>
<body>
<main>
<h1>{{.Title}}</h1>
<p>{{.Detail}}</p>
<p><small>{{.Status}} · {{.Reason}}</small></p>
</main>
</body>
</html>
`))
