package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/clerkgate/clerkgate/internal/document"
)

// config has one field of every sort that a document can fill.
type config struct {
	Common
	Clerk   keys              `json:"clerk"`
	Headers map[string]string `json:"headers"`
	Limits  map[string]limit  `json:"limits"`
	Rules   []rule            `json:"rules"`
	Proxies []netip.Prefix    `json:"proxies"`
	Claims  map[string]any    `json:"claims"`
	Any     any               `json:"any"`
	Hidden  string            `json:"-"`
}

// Common is embedded: its keys are those of config.
type Common struct {
	Mode  string `json:"mode"`
	Debug bool   `json:"debug"`
}

type keys struct {
	PublishableKey string   `json:"publishable_key"`
	SecretKey      string   `json:"secret_key" document:"file"`
	Pin            int      `json:"pin" document:"secret"`
	Codes          words    `json:"codes" document:"secret"`
	Parties        []string `json:"parties"`
}

type limit struct {
	Limit  int      `json:"limit"`
	Burst  uint8    `json:"burst"`
	Ratio  float32  `json:"ratio"`
	Window duration `json:"window"`
}

type rule struct {
	Name   string  `json:"name"`
	Path   words   `json:"path"`
	Role   words   `json:"role" document:"nonempty"`
	Level  level   `json:"level"`
	Nested *nested `json:"nested"`
	Status *int    `json:"status"`
}

type nested struct {
	Any []nested `json:"any"`
	Key string   `json:"key"`
}

// words takes a string or a list of strings.
type words []string

func (w *words) UnmarshalJSON(b []byte) error {
	var one string
	if json.Unmarshal(b, &one) == nil {
		*w = words{one}
		return nil
	}
	var many []string
	if json.Unmarshal(b, &many) != nil {
		return fmt.Errorf("expected a string or a list of strings, got %s", b)
	}
	*w = many
	return nil
}

// duration takes "10s".
type duration time.Duration

func (d *duration) UnmarshalJSON(b []byte) error {
	var s string
	if json.Unmarshal(b, &s) != nil {
		return errors.New(`write a unit, such as "10s"`)
	}
	v, err := time.ParseDuration(s)
	if err != nil {
		return errors.New(`write a unit, such as "10s"`)
	}
	*d = duration(v)
	return nil
}

// level takes a name, or a mapping with certain keys.
type level struct {
	Name  string   `json:"name"`
	After duration `json:"after"`
}

func (l *level) DocumentShape() any {
	type shape level
	return new(shape)
}

func (l *level) UnmarshalJSON(b []byte) error {
	if json.Unmarshal(b, &l.Name) == nil {
		return nil
	}
	type plain level
	return json.Unmarshal(b, (*plain)(l))
}

var testEnv = map[string]string{
	"NAME": "app", "NUMBER": "42", "TRUE": "true", "EMPTY": "", "SECRET": "sk_live_abc", "INJECT": "x, admin: {role: y}\nz: 1",
	"NESTED": "${NAME}", "DIGITS": "007", "WINDOW": "10s",
}

func lookup(name string) (string, bool) {
	v, ok := testEnv[name]
	return v, ok
}

func files(path string) ([]byte, error) {
	switch path {
	case "conf/keys/secret":
		return []byte("  sk_live_file\n\n"), nil
	case "/run/empty":
		return []byte(" \n"), nil
	case "/run/large":
		return make([]byte, 1<<20+1), nil
	}
	return nil, errors.New("file does not exist")
}

var options = document.Options{Env: lookup, ReadFile: files}

func load(name, text string) (config, *document.Document, error) {
	var c config
	d, err := document.Load(name, []byte(text), &c, options)
	return c, d, err
}

func TestLoadFillsTheTarget(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want config
	}{
		"embedded keys stand at the top level": {"mode: shadow\ndebug: true", config{Common: Common{"shadow", true}}},
		"a bare no is a string where one is wanted": {"mode: no\nclerk: {parties: [on, yes, off]}",
			config{Common: Common{Mode: "no"}, Clerk: keys{Parties: []string{"on", "yes", "off"}}}},
		"a bare date is a string too":       {"mode: 2026-01-02", config{Common: Common{Mode: "2026-01-02"}}},
		"numbers of every kind":             {"limits: {a: {limit: -3, burst: 255, ratio: 0.5}}", config{Limits: map[string]limit{"a": {Limit: -3, Burst: 255, Ratio: 0.5}}}},
		"types that decode themselves":      {"rules: [{path: /a, role: [x, y]}]\nlimits: {a: {window: 10s}}", config{Rules: []rule{{Path: words{"/a"}, Role: words{"x", "y"}}}, Limits: map[string]limit{"a": {Window: duration(10 * time.Second)}}}},
		"types that decode text":            {"proxies: [10.0.0.0/8]", config{Proxies: []netip.Prefix{netip.MustParsePrefix("10.0.0.0/8")}}},
		"a shaped type as a word":           {"rules: [{level: strict}]", config{Rules: []rule{{Level: level{Name: "strict"}}}}},
		"a shaped type as a mapping":        {"rules: [{level: {name: strict, after: 1m}}]", config{Rules: []rule{{Level: level{"strict", duration(time.Minute)}}}}},
		"pointers":                          {"rules: [{status: 404, nested: {any: [{key: a}]}}]", config{Rules: []rule{{Status: new(404), Nested: &nested{Any: []nested{{Key: "a"}}}}}}},
		"plain values in any":               {"any: [a, 1, 2.5, true, ~, {k: v}, \"1\"]", config{Any: []any{"a", 1.0, 2.5, true, nil, map[string]any{"k": "v"}, "1"}}},
		"null below a map of any":           {"claims: {a: ~}", config{Claims: map[string]any{"a": nil}}},
		"numbers as keys":                   {"headers: {404: a, true: b}", config{Headers: map[string]string{"404": "a", "true": "b"}}},
		"a quoted merge key is a key":       {"headers: {\"<<\": a}", config{Headers: map[string]string{"<<": "a"}}},
		"an empty mapping":                  {"{}", config{}},
		"a byte order mark":                 {"\ufeffmode: a", config{Common: Common{Mode: "a"}}},
		"document markers around one":       {"---\nmode: a\n...\n", config{Common: Common{Mode: "a"}}},
		"a reference":                       {"mode: ${NAME}", config{Common: Common{Mode: "app"}}},
		"references inside text":            {"mode: a-${NAME}-${NUMBER}", config{Common: Common{Mode: "a-app-42"}}},
		"references inside flow":            {"clerk: { parties: [${NAME}, ${NUMBER}], publishable_key: ${UNSET:-} }", config{Clerk: keys{Parties: []string{"app", "42"}}}},
		"a default":                         {"mode: ${UNSET:-a, b: [c] # d}", config{Common: Common{Mode: "a, b: [c] # d"}}},
		"a default for what is empty":       {"mode: ${EMPTY:-a}", config{Common: Common{Mode: "a"}}},
		"a default that is not needed":      {"mode: ${NAME:-a}", config{Common: Common{Mode: "app"}}},
		"an escaped reference":              {"mode: $${NAME}$1", config{Common: Common{Mode: "${NAME}$1"}}},
		"a dollar that is no reference":     {"mode: ^/a$ $x {y}", config{Common: Common{Mode: "^/a$ $x {y}"}}},
		"an expanded value stays one value": {"mode: ${INJECT}", config{Common: Common{Mode: testEnv["INJECT"]}}},
		"an expanded value stays unexpanded": {"mode: ${NESTED}\nclerk: {publishable_key: \"${NESTED}\"}",
			config{Common: Common{Mode: "${NAME}"}, Clerk: keys{PublishableKey: "${NAME}"}}},
		"a reference to a number":          {"limits: {a: {limit: ${NUMBER}, window: ${WINDOW}}}", config{Limits: map[string]limit{"a": {Limit: 42, Window: duration(10 * time.Second)}}}},
		"a reference to a boolean":         {"debug: ${TRUE}", config{Common: Common{Debug: true}}},
		"an expanded value in any is text": {"any: [${NUMBER}, \"${TRUE}\"]", config{Any: []any{"42", "true"}}},
		"quotes keep an expanded string":   {"rules: [{path: ['${NUMBER}']}]", config{Rules: []rule{{Path: words{"42"}}}}},
		"a shape settles what is a string": {"rules: [{level: {name: ${NUMBER}}}]", config{Rules: []rule{{Level: level{Name: "42"}}}}},
		"a key is not expanded":            {"headers: {'${NAME}': a}", config{Headers: map[string]string{"${NAME}": "a"}}},
		"an empty expansion is left out":   {"mode: ${EMPTY:-}\ndebug: ${UNSET:-}\nclerk: {parties: [\"${UNSET:-}\", b]}\nheaders: {a: \"${UNSET:-}\"}", config{Clerk: keys{Parties: []string{"b"}}, Headers: map[string]string{}}},
		"an empty expansion in a list":     {"rules: [{path: [a, '${UNSET:-}', b]}]", config{Rules: []rule{{Path: words{"a", "b"}}}}},
		"a value from a file":              {"clerk: {secret_key_file: keys/secret}", config{Clerk: keys{SecretKey: "sk_live_file"}}},
		"a file named by a variable":       {"clerk: {secret_key_file: \"keys/${FILE:-secret}\"}", config{Clerk: keys{SecretKey: "sk_live_file"}}},
		"a key or else a file":             {"clerk: {secret_key: \"${UNSET:-}\", secret_key_file: keys/secret}", config{Clerk: keys{SecretKey: "sk_live_file"}}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got, _, err := load("conf/gate.yaml", test.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(test.want, got, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
				t.Errorf("loaded (-want +got):\n%s", diff)
			}
		})
	}
}

const both = `{
	"mode": "a\/b \ud83d\ude00 é",
	"debug": true,
	"headers": {"X-User-Id": "user_id", "": "empty key"},
	"limits": {"per-user": {"limit": 10, "burst": 2, "ratio": 1.5e-1, "window": "10s"}},
	"rules": [{"path": ["/a", "/b"], "level": {"name": "x", "after": "1h"}}, {"path": "/c", "status": 404}],
	"any": [null, 1, "x", {"y": [[]]}, {}]
}`

func TestLoadGivesEqualStructsFromJSONAndYAML(t *testing.T) {
	t.Parallel()
	fromJSON, _, err := load("gate.json", both)
	if err != nil {
		t.Fatal(err)
	}
	asYAML := strings.NewReplacer("\t", "  ", `\/`, "/", `\ud83d\ude00`, `\U0001F600`).Replace(both)
	fromYAML, _, err := load("gate.yaml", asYAML)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(fromJSON, fromYAML, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("YAML differs (-json +yaml):\n%s", diff)
	}
	var reference config
	if err := json.Unmarshal([]byte(both), &reference); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(reference, fromJSON, cmpopts.EquateComparable(netip.Prefix{})); diff != "" {
		t.Errorf("encoding/json differs (-want +got):\n%s", diff)
	}
}

func TestLoadKeepsDefaultsThatAreNotMentioned(t *testing.T) {
	t.Parallel()
	c := config{Common: Common{Mode: "enforce"}, Clerk: keys{Pin: 7}, Headers: map[string]string{"a": "b"}}
	if _, err := document.Load("gate.yaml", []byte("debug: true\nclerk: {publishable_key: pk}\nheaders: {c: d}"), &c, options); err != nil {
		t.Fatal(err)
	}
	want := config{
		Common:  Common{Mode: "enforce", Debug: true},
		Clerk:   keys{Pin: 7, PublishableKey: "pk"},
		Headers: map[string]string{"c": "d"},
	}
	if diff := cmp.Diff(want, c); diff != "" {
		t.Errorf("loaded (-want +got):\n%s", diff)
	}
}

func TestLoadLeavesTheTargetAloneOnError(t *testing.T) {
	t.Parallel()
	type settings struct {
		*Common
		Inner *keys             `json:"inner"`
		Map   map[string]string `json:"map"`
		List  []string          `json:"list"`
		Bad   int               `json:"bad"`
	}
	fresh := func() settings {
		return settings{&Common{Mode: "a"}, &keys{Pin: 1}, map[string]string{"a": "b"}, []string{"x"}, 1}
	}
	got := fresh()
	text := "mode: b\ninner: {pin: 2}\nmap: {a: c}\nlist: [y]\nbad: no"
	if _, err := document.Load("gate.yaml", []byte(text), &got, options); err == nil {
		t.Fatal("no error")
	}
	if diff := cmp.Diff(fresh(), got); diff != "" {
		t.Errorf("target changed (-want +got):\n%s", diff)
	}
}

func TestLoadRefusesATargetItCanNotFill(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		target any
		want   string
	}{
		"not a pointer":   {config{}, "document: the target must be a non-nil pointer"},
		"nil":             {(*config)(nil), "document: the target must be a non-nil pointer"},
		"a channel":       {new(struct{ A chan int }), "gate.yaml:1:4: A: the Go type chan int can not be read from a document"},
		"a map by number": {new(map[int]string), "gate.yaml:1:1: the Go type map[int]string can not be read from a document"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := document.Load("gate.yaml", []byte("A: 1"), test.target, options)
			if err == nil || err.Error() != test.want {
				t.Errorf("error %v, want %s", err, test.want)
			}
		})
	}
}
