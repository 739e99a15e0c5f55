package conformance

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strconv"
	"testing"

	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/internal/testprocess"
)

// caddySurface is one Caddy with a server for each gate.
type caddySurface struct{ addresses []string }

func (s *caddySurface) name() string            { return "Caddy" }
func (s *caddySurface) address(gate int) string { return s.addresses[gate] }

// object is a piece of Caddy's JSON.
type object = map[string]any

// startCaddy runs a gate for each configuration in a real Caddy.
func startCaddy(t *testing.T, configs []setup.Config, upstream string) surface {
	t.Helper()
	s := &caddySurface{}
	servers := object{}
	for i, config := range configs {
		s.addresses = append(s.addresses, testprocess.Address(t))
		servers["gate"+strconv.Itoa(i)] = object{
			"listen":          []string{s.addresses[i]},
			"automatic_https": object{"disable": true},
			"routes":          []object{{"handle": caddyHandlers(t, config, upstream)}},
		}
	}
	runCaddy(t, object{
		"admin":   object{"disabled": true, "config": object{"persist": false}},
		"logging": object{"logs": object{"default": object{"level": "WARN"}}},
		"apps":    object{"http": object{"servers": servers}},
	}, s.addresses)
	return s
}

func caddyHandlers(t *testing.T, config setup.Config, upstream string) []object {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	gate := object{}
	if err := json.Unmarshal(data, &gate); err != nil {
		t.Fatal(err)
	}
	gate["handler"] = "clerk_auth"
	set := func(name, value string) object { return object{"set": object{name: []string{value}}} }
	mark := set(ruleMark, "{http.clerk.rule}")
	mark["deferred"] = true
	return []object{
		{"handler": "headers", "response": mark},
		gate,
		{"handler": "reverse_proxy", "upstreams": []object{{"dial": upstream}}, "headers": object{"request": set(clientMark, "{http.clerk.client_ip}")}},
	}
}

// runCaddy runs Caddy until the test ends, and waits for its listeners.
func runCaddy(t *testing.T, config object, addresses []string) {
	t.Helper()
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	file := filepath.Join(dir, "caddy.json")
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	testprocess.Start(t, "Caddy", testprocess.Caddy(t, file, dir)).AwaitListening(t, addresses...)
}
