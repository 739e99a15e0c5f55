package policy

import (
	"bytes"
	"encoding/json"
	"html/template"
	"net/http"
	"strings"

	"github.com/munnerz/goautoneg"
)

// bodies are one answer in the forms clients ask for, made once.
type bodies struct {
	json, html, text []byte
}

// The media types of answers. The first is what clients get who do not mind.
var mediaTypes = []string{"application/problem+json", "application/json", "text/html", "text/plain"}

// maxAccept bounds the Accept field that is negotiated on.
const maxAccept = 1024

// negotiate picks the body and its Content-Type by Accept (RFC 9110 § 12.5.1).
func (b *bodies) negotiate(accept string) (body []byte, contentType string) {
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

// problem is the JSON form of an answer: problem details (RFC 9457) with an
// error string and our stable reason.
type problem struct {
	Type   string `json:"type"`
	Title  string `json:"title"`
	Status int    `json:"status"`
	Detail string `json:"detail"`
	Error  string `json:"error"`
	Reason Reason `json:"reason"`
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

// newBodies makes the answer for a reason.
func newBodies(reason Reason, change func(*problem)) *bodies {
	p := problem{Type: "about:blank", Title: http.StatusText(reason.Status()), Status: reason.Status(),
		Detail: reason.Detail(), Error: errorWord(reason.Status()), Reason: reason}
	if change != nil {
		change(&p)
	}
	text, err := json.Marshal(p)
	if err != nil {
		panic(err) // the struct above always marshals
	}
	var page bytes.Buffer
	if err := answerPage.Execute(&page, p); err != nil {
		panic(err)
	}
	return &bodies{json: append(text, '\n'), html: page.Bytes(), text: []byte(p.Title + ": " + p.Detail + "\n")}
}

// errorWord is a short machine-readable word for a status.
func errorWord(status int) string {
	return strings.ReplaceAll(strings.ToLower(http.StatusText(status)), " ", "_")
}

// answerPage is the HTML form of an answer.
var answerPage = template.Must(template.New("answer").Parse(`<!doctype html>
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

// pageHeaders keep an answer's page from being framed, sniffed or scripted.
var pageHeaders = []Header{
	{"Content-Security-Policy", "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors 'none'; base-uri 'none'; form-action 'none'"},
	{"X-Content-Type-Options", "nosniff"},
}

// answerHeaders go on everything we answer ourselves: an answer to one caller
// is never an answer to another.
var answerHeaders = []Header{
	{"Cache-Control", "no-store"},
	{"Vary", "Accept, Authorization, Cookie"},
}

// compileBodies makes the answers for all reasons.
func compileBodies() map[Reason]*bodies {
	all := make(map[Reason]*bodies, len(reasons))
	for reason := range reasons {
		all[reason] = newBodies(reason, nil)
	}
	return all
}

// reverificationBodies is the answer that Clerk's front end understands.
func reverificationBodies(v verification) *bodies {
	return newBodies(ReasonReverification, func(p *problem) {
		var hint any = v.preset
		if v.preset == "" {
			hint = struct {
				Level        string  `json:"level"`
				AfterMinutes float64 `json:"afterMinutes"`
			}{v.level, v.minutes}
		}
		p.ClerkError = &clerkError{"forbidden", string(ReasonReverification), clerkMetadata{hint}}
	})
}

func limitBodies(name string) *bodies {
	return newBodies(ReasonRateLimited, func(p *problem) {
		p.Type, p.ViolatedPolicies = quotaExceeded, []string{name}
	})
}

// challenge is the WWW-Authenticate field of a 401 (RFC 6750 § 3).
func challenge(reason Reason, presented bool) Header {
	value := `Bearer realm="clerk"`
	if presented {
		value += `, error="invalid_token", error_description="` + string(reason) + `"`
	}
	return Header{"WWW-Authenticate", value}
}
