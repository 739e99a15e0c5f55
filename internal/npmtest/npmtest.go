// Package npmtest runs an app that uses Clerk's own published library, at the
// version of package-lock.json. Alone it signs browsers in by itself, so that
// the local Clerk instance can be held to what the library expects of one.
// Behind the gate it says what the library makes of the requests that the gate
// forwards. And by itself it says what it makes of requests that are made up.
//
// "npm ci" in this directory installs the library.
package npmtest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"strings"
	"testing"
)

// Options are the library's: those of its client, and those of each request.
type Options struct {
	Client  Client  `json:"client"`
	Request Request `json:"request"`
}

// Client are the options that name the instance.
type Client struct {
	PublishableKey string `json:"publishableKey"`
	SecretKey      string `json:"secretKey"`
	APIURL         string `json:"apiUrl"`
}

// Request are the options of each request.
type Request struct {
	ProxyURL                string                   `json:"proxyUrl,omitempty"`
	Domain                  string                   `json:"domain,omitempty"`
	IsSatellite             bool                     `json:"isSatellite,omitempty"`
	SatelliteAutoSync       bool                     `json:"satelliteAutoSync,omitempty"`
	SignInURL               string                   `json:"signInUrl,omitempty"`
	AuthorizedParties       []string                 `json:"authorizedParties,omitempty"`
	OrganizationSyncOptions *OrganizationSyncOptions `json:"organizationSyncOptions,omitempty"`
	AcceptsToken            string                   `json:"acceptsToken,omitempty"`
}

// OrganizationSyncOptions are the paths that name an organization.
type OrganizationSyncOptions struct {
	OrganizationPatterns []string `json:"organizationPatterns,omitempty"`
}

// Answer is what the app says of a request.
type Answer struct {
	// Library is what the library decided.
	Library Decision
	// Headers are those that reached the app, by lower-case name.
	Headers map[string]any
}

// Decision is what the library makes of a request. Empty is null.
type Decision struct {
	Status, Reason, User, Session, Organization, Role, TokenType string
}

// ReadAnswer reads the app's answer.
func ReadAnswer(body []byte) (Answer, error) {
	var a Answer
	err := json.Unmarshal(body, &a)
	return a, err
}

// Start runs the app until the test ends, and returns its address. Without Node
// or the library the test is skipped, or fails where CLERKGATE_FULL is 1.
func Start(tb testing.TB, o Options) string {
	tb.Helper()
	arguments, err := json.Marshal(o)
	if err != nil {
		tb.Fatal(err)
	}
	cmd := node(tb, "server.mjs", string(arguments))
	var log bytes.Buffer
	cmd.Stderr = &log
	input, err := cmd.StdinPipe()
	if err != nil {
		tb.Fatal(err)
	}
	output, err := cmd.StdoutPipe()
	if err != nil {
		tb.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		tb.Fatal(err)
	}
	tb.Cleanup(func() {
		input.Close() // it ends by that
		_ = cmd.Wait()
		if tb.Failed() {
			tb.Logf("the app's log:\n%s", &log)
		}
	})
	port, err := bufio.NewReader(output).ReadString('\n')
	if err != nil {
		tb.Fatalf("the app did not start: %v", err)
	}
	return "127.0.0.1:" + strings.TrimSpace(port)
}
