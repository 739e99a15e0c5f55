package document_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/internal/joined"
)

// loadErrors holds documents and every error that loading them gives, in order.
var loadErrors = map[string]struct {
	text string
	want []string
}{
	"an unknown key": {"rules:\n  - name: a\n    pth: /x\n", []string{
		`gate.yaml:3:5: rules[0]: unknown key "pth" (did you mean "path"?)`}},
	"an unknown key that resembles none": {"zebra: 1\n", []string{`gate.yaml:1:1: unknown key "zebra"`}},
	"an unknown key in other case":       {"Mode: a\n", []string{`gate.yaml:1:1: unknown key "Mode" (did you mean "mode"?)`}},
	"an unknown key near a file key":     {"clerk: {secret_key_fil: x}", []string{`gate.yaml:1:9: clerk: unknown key "secret_key_fil" (did you mean "secret_key_file"?)`}},
	"a file key without a file tag":      {"mode_file: x", []string{`gate.yaml:1:1: unknown key "mode_file"`}},
	"a field that is no key":             {"Hidden: x", []string{`gate.yaml:1:1: unknown key "Hidden"`}},
	"an unknown key with an empty value": {"moed: \"${UNSET:-}\"", []string{`gate.yaml:1:1: unknown key "moed" (did you mean "mode"?)`}},
	"an unknown key in a map":            {"limits: {a.b: {windw: 1s}}", []string{`gate.yaml:1:16: limits["a.b"]: unknown key "windw" (did you mean "window"?)`}},
	"an unknown key deep down":           {"rules:\n- nested:\n    any:\n    - any:\n      - kee: x", []string{`gate.yaml:5:9: rules[0].nested.any[0].any[0]: unknown key "kee" (did you mean "key"?)`}},
	"an unknown key in a shape":          {"rules: [{level: {name: a, aftr: 1s}}]", []string{`gate.yaml:1:27: rules[0].level: unknown key "aftr" (did you mean "after"?)`}},
	"a duplicate key":                    {"mode: a\ndebug: true\nmode: b\n", []string{`gate.yaml:3:1: duplicate key "mode", first on line 1`}},
	"a duplicate key in a map":           {"headers:\n  a: b\n  \"a\": c\n", []string{`gate.yaml:3:3: headers: duplicate key "a", first on line 2`}},
	"a duplicate key in any":             {"any: {x: {y: 1, y: 2}}", []string{`gate.yaml:1:17: any.x: duplicate key "y", first on line 1`}},
	"a duplicate key in its own type": {"rules: [{path: {y: 1, y: 2}}]", []string{
		`gate.yaml:1:16: rules[0].path: expected a string or a list of strings, got {"y":1}`,
		`gate.yaml:1:23: rules[0].path: duplicate key "y", first on line 1`}},

	"a mapping for a list":         {"clerk:\n  parties:\n    a: b\n", []string{`gate.yaml:2:3: clerk.parties: expected a list of strings, got a mapping`}},
	"a string for a list":          {"clerk: {parties: a}", []string{`gate.yaml:1:18: clerk.parties: expected a list of strings, got "a"`}},
	"a string for a list of texts": {"proxies: a", []string{`gate.yaml:1:10: proxies: expected a list of strings, got "a"`}},
	"a string for mappings":        {"rules: a", []string{`gate.yaml:1:8: rules: expected a list of mappings, got "a"`}},
	"a list for a mapping":         {"clerk: []", []string{`gate.yaml:1:8: clerk: expected a mapping, got a list`}},
	"a list for the document":      {"- a", []string{`gate.yaml:1:1: expected a mapping, got a list`}},
	"a word for the document":      {"a", []string{`gate.yaml:1:1: expected a mapping, got "a"`}},
	"a number for a string":        {"mode: 123", []string{`gate.yaml:1:7: mode: expected a string, got the number 123; quote it`}},
	"a boolean for a string":       {"mode: True", []string{`gate.yaml:1:7: mode: expected a string, got true; quote it`}},
	"a list for a string":          {"mode: [a]", []string{`gate.yaml:1:7: mode: expected a string, got a list`}},
	"a word for a boolean":         {"debug: yes", []string{`gate.yaml:1:8: debug: expected true or false, got "yes" (did you mean "true"?)`}},
	"a quoted boolean":             {"debug: 'true'", []string{`gate.yaml:1:8: debug: expected true or false, got "true"`}},
	"a word for a number":          {"limits: {a: {limit: many}}", []string{`gate.yaml:1:21: limits.a.limit: expected a whole number, got "many"`}},
	"a quoted number":              {"limits: {a: {limit: '1'}}", []string{`gate.yaml:1:21: limits.a.limit: expected a whole number, got "1"`}},
	"a fraction":                   {"limits: {a: {limit: 1.5}}", []string{`gate.yaml:1:21: limits.a.limit: expected a whole number, got the number 1.5`}},
	"a number out of range":        {"limits: {a: {burst: 256}}", []string{`gate.yaml:1:21: limits.a.burst: expected a whole number from 0 to 255, got the number 256`}},
	"a number below the range":     {"limits: {a: {burst: -1}}", []string{`gate.yaml:1:21: limits.a.burst: expected a whole number from 0 to 255, got the number -1`}},
	"a number above all ranges":    {"limits: {a: {limit: 9223372036854775808}}", []string{`gate.yaml:1:21: limits.a.limit: expected a whole number from -9223372036854775808 to 9223372036854775807, got the number 9223372036854775808`}},
	"a float out of range":         {"limits: {a: {ratio: 1e39}}", []string{`gate.yaml:1:21: limits.a.ratio: the number is out of range`}},
	"a number with leading zeros":  {"limits: {a: {limit: 010}}", []string{`gate.yaml:1:21: limits.a.limit: write the number in decimal digits, without "+", "_" or leading zeros, or quote it if it is a string`}},
	"a hexadecimal in any":         {"any: 0x1F", []string{`gate.yaml:1:6: any: write the number in decimal digits, without "+", "_" or leading zeros, or quote it if it is a string`}},
	"a number too large for any":   {"any: 9007199254740993", []string{`gate.yaml:1:6: any: the number is too large to be held exactly; quote it`}},
	"not a number in any":          {"any: .nan", []string{`gate.yaml:1:6: any: write the number in decimal digits, without "+", "_" or leading zeros, or quote it if it is a string`}},
	"an empty value":               {"rules:\n- name: a\n  role:\n", []string{`gate.yaml:3:3: rules[0].role: is empty; remove the key or give it a value`}},
	"an empty value for a pointer": {"rules:\n- nested:\n", []string{`gate.yaml:2:3: rules[0].nested: is empty; remove the key or give it a value`}},
	"an empty value in a map":      {"headers: {a: ~}", []string{`gate.yaml:1:11: headers.a: is empty; remove the key or give it a value`}},
	"an empty list element":        {"clerk:\n  parties:\n  - a\n  -\n", []string{`gate.yaml:4:4: clerk.parties[1]: is empty; remove the key or give it a value`}},
	"an empty element in its type": {"rules: [{path: [null]}]", []string{`gate.yaml:1:17: rules[0].path[0]: is empty; remove the key or give it a value`}},
	"an empty element of nothing":  {"rules: [{path: {a: '${UNSET:-}', b: '${UNSET:-}', c: 1, d: [2, x]}}]", []string{`gate.yaml:1:16: rules[0].path: expected a string or a list of strings, got {"c":1,"d":[2,"x"]}`}},
	"a broken value in its type":   {"rules: [{path: [*x]}, {path: [${UNSET}]}]", []string{`gate.yaml:1:1: anchors (&) and aliases (*) are not accepted; write the value out, or quote it if it is a string`}},
	"a tag in a type of its own":   {"rules: [{path: [!a x]}]", []string{`gate.yaml:1:17: rules[0].path[0]: tags are not accepted; quote the value if it is a string`}},
	"an empty mapping with a key":  {"rules: [{role: {a: '${UNSET:-}'}}]", []string{`gate.yaml:1:16: rules[0].role: is empty; remove the key or give it a value`}},
	"a long text":                  {"debug: " + strings.Repeat("é", 50), []string{`gate.yaml:1:8: debug: expected true or false, got "` + strings.Repeat("é", 40) + `..."`}},
	"a type from encoding/json": {"rules: [{level: {}}, {level: [a]}, {level: 1}, {level: true}]", []string{
		`gate.yaml:1:30: rules[1].level: expected a mapping, got a list`,
		`gate.yaml:1:44: rules[2].level: expected a mapping, got a number`,
		`gate.yaml:1:56: rules[3].level: expected a mapping, got a boolean`}},
	"an error of a type":       {"limits: {a: {window: 10}}", []string{`gate.yaml:1:22: limits.a.window: write a unit, such as "10s"`}},
	"an error of a text type":  {"proxies: [10.0.0.0/8, x]", []string{`gate.yaml:1:23: proxies[1]: netip.ParsePrefix("x"): no '/'`}},
	"a number for a text type": {"proxies: [10]", []string{`gate.yaml:1:11: proxies[0]: expected a string, got the number 10; quote it`}},
	"a text that must not be empty": {"rules: [{role: ''}, {role: []}, {role: ['${UNSET:-}', a]}, {role: '${UNSET:-}'}, {role: {}}]", []string{
		`gate.yaml:1:16: rules[0].role: is empty; remove the key or give it a value`,
		`gate.yaml:1:28: rules[1].role: is empty; remove the key or give it a value`,
		`gate.yaml:1:40: rules[2].role: an element expands to nothing; remove it or give it a value`,
		`gate.yaml:1:67: rules[3].role: is empty; remove the key or give it a value`,
		`gate.yaml:1:89: rules[4].role: is empty; remove the key or give it a value`}},

	"a variable that is not set":        {"mode: a ${UNSET}", []string{`gate.yaml:1:7: mode: the environment variable "UNSET" is not set`}},
	"a variable that is empty":          {"mode: ${EMPTY}", []string{`gate.yaml:1:7: mode: the environment variable "EMPTY" is empty`}},
	"a variable under an unknown key":   {"mod: ${UNSET}", []string{`gate.yaml:1:1: unknown key "mod" (did you mean "mode"?)`, `gate.yaml:1:6: mod: the environment variable "UNSET" is not set`}},
	"a reference that is not closed":    {"mode: \"${NAME\"", []string{`gate.yaml:1:7: mode: a reference is not closed: write ${NAME}, or $${ for the characters themselves`}},
	"a reference that is malformed":     {"mode: ${sk-live}", []string{`gate.yaml:1:7: mode: a reference must be ${NAME} or ${NAME:-default}; write $${ for the characters themselves`}},
	"a reference inside a default":      {"mode: ${UNSET:-${NAME}}", []string{`gate.yaml:1:7: mode: a default can not hold another reference`}},
	"an expanded number for a string":   {"rules: [{level: ${NUMBER}}]", []string{`gate.yaml:1:17: rules[0].level: expected a mapping, got a number`}},
	"an expanded word for a number":     {"limits: {a: {limit: ${NAME}}}", []string{`gate.yaml:1:21: limits.a.limit: expected a whole number, got the value of "${NAME}"`}},
	"an expanded odd number":            {"limits: {a: {limit: ${DIGITS}}}", []string{`gate.yaml:1:21: limits.a.limit: expected a whole number, got the value of "${DIGITS}"`}},
	"an expanded quoted number":         {"limits: {a: {limit: '${NUMBER}'}}", []string{`gate.yaml:1:21: limits.a.limit: expected a whole number, got the value of "${NUMBER}"`}},
	"an expanded list":                  {"clerk: {parties: ${NAME}}", []string{`gate.yaml:1:18: clerk.parties: expected a list of strings, got the value of "${NAME}"`}},
	"an expanded word for a boolean":    {"debug: ${NAME}", []string{`gate.yaml:1:8: debug: expected true or false, got the value of "${NAME}"`}},
	"a document that expands to naught": {"${UNSET:-}", []string{`gate.yaml:1:1: the document is empty`}},

	"a key and its file":             {"clerk:\n  secret_key: a\n  secret_key_file: keys/secret", []string{`gate.yaml:3:3: clerk: both secret_key and secret_key_file are given; keep one`}},
	"a file that is missing":         {"clerk: {secret_key_file: /none}", []string{`gate.yaml:1:26: clerk.secret_key_file: can not read "/none": file does not exist`}},
	"a file that is empty":           {"clerk: {secret_key_file: /run/empty}", []string{`gate.yaml:1:26: clerk.secret_key_file: can not read "/run/empty": the file is empty`}},
	"a file that is too large":       {"clerk: {secret_key_file: /run/large}", []string{`gate.yaml:1:26: clerk.secret_key_file: can not read "/run/large": the file is larger than 1 MiB`}},
	"a file that is no path":         {"clerk: {secret_key_file: [a]}", []string{`gate.yaml:1:26: clerk.secret_key_file: expected the path of a file, got a list`}},
	"an anchor":                      {"mode: &a b", []string{`gate.yaml:1:7: mode: anchors (&) and aliases (*) are not accepted; write the value out, or quote it if it is a string`}},
	"an alias":                       {"headers:\n  a: &a b\n  c: *a", []string{`gate.yaml:2:6: headers.a: anchors (&) and aliases (*) are not accepted; write the value out, or quote it if it is a string`, `gate.yaml:3:6: headers.c: anchors (&) and aliases (*) are not accepted; write the value out, or quote it if it is a string`}},
	"an alias to nothing":            {"clerk:\n  secret_key: *sk_live_abc\n", []string{`gate.yaml:2:1: anchors (&) and aliases (*) are not accepted; write the value out, or quote it if it is a string`}},
	"a key that is an alias":         {"headers: {&a b: c}", []string{`gate.yaml:1:11: headers: anchors (&) and aliases (*) are not accepted; write the value out, or quote it if it is a string`}},
	"a merge key":                    {"clerk: {<<: {pin: 1}}", []string{`gate.yaml:1:9: clerk: merge keys (<<) are not accepted; write the keys out`}},
	"a tag":                          {"mode: !!str 1", []string{`gate.yaml:1:7: mode: tags are not accepted; quote the value if it is a string`}},
	"a tagged key":                   {"!!str mode: 1", []string{`gate.yaml:1:1: tags are not accepted`}},
	"a list as a key":                {"? [a]\n: b", []string{`gate.yaml:1:3: a key must be a word, not a list or a mapping`}},
	"no key":                         {"headers: {~: b}", []string{`gate.yaml:1:11: headers: a key is missing before the colon`}},
	"two documents":                  {"mode: a\n---\nmode: b\n", []string{`gate.yaml:2:1: a second document starts here; a file holds one`}},
	"two documents, one empty":       {"mode: a\n---", []string{`gate.yaml:2:1: a second document starts here; a file holds one`}},
	"an empty element at the end":    {"rules:\n-", []string{`gate.yaml:2:2: rules[0]: is empty; remove the key or give it a value`}},
	"an error in a second document":  {"mode: a\n---\nmode: [\n", []string{`gate.yaml:4:1: not valid YAML: did not find expected node content`}},
	"an empty document":              {"", []string{`gate.yaml:1:1: the document is empty`}},
	"a document of comments":         {"# a\n# b\n", []string{`gate.yaml:1:1: the document is empty`}},
	"a document of nothing":          {"---\n", []string{`gate.yaml:1:1: the document is empty`}},
	"a document that is too large":   {strings.Repeat("#", 1<<20+1), []string{`gate.yaml:1:1: the document is larger than 1 MiB`}},
	"a document that is too deep":    {"any: " + strings.Repeat("[", 64) + strings.Repeat("]", 64), []string{`gate.yaml:1:69: any` + strings.Repeat("[0]", 63) + `: nested deeper than 64 levels`}},
	"a key that is too long":         {"headers: {" + strings.Repeat("k", 257) + ": a}", []string{`gate.yaml:1:11: headers: a key is longer than 256 bytes`}},
	"bytes that are not UTF-8":       {"mode: a\ndebug: \xff", []string{`gate.yaml:2:8: not valid UTF-8`}},
	"a control character":            {"mode: \"a\x01\"", []string{`gate.yaml:1:9: the character U+0001 is not accepted; write it as an escape in double quotes`}},
	"several errors, in their order": {"debug: 1\nzebra: 2\nmode: 3\nrules: [{name: ${UNSET}, b: 1}]", []string{`gate.yaml:1:8: debug: expected true or false, got the number 1`, `gate.yaml:2:1: unknown key "zebra"`, `gate.yaml:3:7: mode: expected a string, got the number 3; quote it`, `gate.yaml:4:16: rules[0].name: the environment variable "UNSET" is not set`, `gate.yaml:4:26: rules[0]: unknown key "b"`}},

	"a tab as indentation":         {"clerk:\n\tpin: 1\n", []string{`gate.yaml:2:1: a tab can not indent YAML; use spaces`}},
	"a quote that is not closed":   {"mode: a\nany: 'b\ndebug: c\n", []string{`gate.yaml:2:1: not valid YAML: found unexpected end of stream`}},
	"a bracket that is not closed": {"mode: a\nany: [b\ndebug: true\nrules: []\n", []string{`gate.yaml:2:1: not valid YAML: did not find expected ',' or ']'`}},
	"a bracket too many":           {"mode: a\nany: [b]]\ndebug: true\n", []string{`gate.yaml:2:1: not valid YAML: did not find expected key`}},
	"wrong indentation in a map":   {"clerk:\n  pin: 1\n publishable_key: a\nmode: b\n", []string{`gate.yaml:3:1: not valid YAML: did not find expected key`}},
	"wrong indentation in a list":  {"mode: a\nrules:\n  - name: a\n    path: b\n   role: c\ndebug: true\n", []string{`gate.yaml:5:1: not valid YAML: did not find expected '-' indicator`}},
	"a colon too many":             {"mode: a\nany: b: c\n", []string{`gate.yaml:2:1: not valid YAML: mapping values are not allowed in this context`}},
	"a line that is no key":        {"mode: a\ndebug\nany: b\n", []string{`gate.yaml:2:1: not valid YAML: could not find expected ':'`}},
	"an unknown escape":            {"mode: \"\\z\"\n", []string{`gate.yaml:1:1: not valid YAML: found unknown escape character`}},
}

func TestLoadSaysWhatIsWrongAndWhere(t *testing.T) {
	t.Parallel()
	for name, test := range loadErrors {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, d, err := load("gate.yaml", test.text)
			if d != nil {
				t.Error("a document was returned with the error")
			}
			if diff := cmp.Diff(test.want, texts(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestLoadSaysWhatIsWrongInJSON(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		text string
		want []string
	}{
		"an unknown key":             {"{\n\t\"moed\": \"a\"\n}", []string{`gate.json:2:2: unknown key "moed" (did you mean "mode"?)`}},
		"a duplicate key":            {"{\"any\": {\"é\": 1, \"é\": 2}}", []string{`gate.json:1:18: any: duplicate key "é", first on line 1`}},
		"a key that differs in case": {`{"MODE": "a"}`, []string{`gate.json:1:2: unknown key "MODE" (did you mean "mode"?)`}},
		"a wrong type":               {"{\n  \"debug\" :\n    1}", []string{`gate.json:2:3: debug: expected true or false, got the number 1`}},
		"null":                       {`{"rules": [{"role": null}]}`, []string{`gate.json:1:13: rules[0].role: is empty; remove the key or give it a value`}},
		"a syntax error":             {"{\n  \"mode\": a\n}", []string{`gate.json:2:11: not valid JSON: invalid character 'a' looking for beginning of value`}},
		"a comma too many":           {`{"mode": "a",}`, []string{`gate.json:1:14: not valid JSON: invalid character '}' looking for beginning of object key string`}},
		"an end that is missing":     {"{\n  \"mode\": 1\n", []string{`gate.json:2:12: not valid JSON: unexpected end of JSON input`}},
		"a second value":             {"{}\n{}", []string{`gate.json:2:1: not valid JSON: invalid character '{' after top-level value`}},
		"bytes that are not UTF-8":   {"{\"mode\": \"\xff\"}", []string{`gate.json:1:11: not valid UTF-8`}},
		"an empty document":          {" \n", []string{`gate.json:1:1: the document is empty`}},
		"null as the document":       {"null", []string{`gate.json:1:1: the document is empty`}},
		"too deep, and more after":   {`{"any": ` + strings.Repeat("[", 70) + strings.Repeat("]", 70) + `, "mode": 1}`, []string{`gate.json:1:72: any` + strings.Repeat("[0]", 63) + `: nested deeper than 64 levels`, `gate.json:1:159: mode: expected a string, got the number 1; quote it`}},
		"an expanded number stays text in a type of its own": {`{"limits": {"a": {"window": "${NUMBER}"}}}`, []string{`gate.json:1:29: limits.a.window: write a unit, such as "10s"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := load("gate.json", test.text)
			if diff := cmp.Diff(test.want, texts(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestAReferenceInJSONMayStandForANumber(t *testing.T) {
	t.Parallel()
	c, _, err := load("gate.json", `{"debug": "${TRUE}", "limits": {"a": {"limit": "${NUMBER}"}}, "rules": [{"path": "${NUMBER}"}]}`)
	if err != nil {
		t.Fatal(err)
	}
	if !c.Debug || c.Limits["a"].Limit != 42 || c.Rules[0].Path[0] != "42" {
		t.Errorf("loaded %+v", c)
	}
}

func TestLoadShowsTheFirstHundredErrors(t *testing.T) {
	t.Parallel()
	_, _, err := load("gate.yaml", "any: {"+strings.Repeat("a: 1, ", 150)+"}")
	got := texts(err)
	if len(got) != 101 {
		t.Fatalf("%d errors, want 101", len(got))
	}
	if want := "49 more errors are not shown"; !strings.Contains(got[100], want) {
		t.Errorf("last error %q, want %q in it", got[100], want)
	}
}

// loose is a type that leaves its checks to encoding/json.
type loose struct {
	Names   []string         `json:"names"`
	Count   uint8            `json:"count"`
	Rate    float64          `json:"rate"`
	Lists   [][]string       `json:"lists"`
	Words   []words          `json:"words"`
	On      []bool           `json:"on"`
	Proxies []netip.Prefix   `json:"proxies"`
	Map     map[string]loose `json:"map"`
	Array   [2]int           `json:"array"`
}

func (l *loose) UnmarshalJSON(b []byte) error {
	type plain loose
	return json.Unmarshal(b, (*plain)(l))
}

func TestErrorsOfEncodingJSONReadLikeOurs(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"names: a":                   `1:8: names: expected a list of strings, got a string`,
		"names: {}":                  `1:8: names: expected a list of strings, got a mapping`,
		"count: a":                   `1:8: count: expected a whole number, got a string`,
		"count: 300":                 `1:8: count: expected a whole number, got a number that does not fit`,
		"rate: true":                 `1:7: rate: expected a number, got a boolean`,
		"lists: a":                   `1:8: lists: expected a list of lists, got a string`,
		"words: a":                   `1:8: words: expected a list, got a string`,
		"on: 1":                      `1:5: on: expected a list of booleans, got a number`,
		"on: [x]":                    `1:5: on: expected true or false, got a string`,
		"proxies: 1":                 `1:10: proxies: expected a list of strings, got a number`,
		"map: []":                    `1:6: map: expected a mapping, got a list`,
		"array: a":                   `1:8: array: expected another kind of value, got a string`,
		"rate: 1\nmap:\n  a: [1, 2]": `2:1: map: expected a mapping, got a list`,
	} {
		t.Run(text, func(t *testing.T) {
			t.Parallel()
			_, err := document.Load("gate.yaml", []byte(text), new(loose), options)
			if diff := cmp.Diff([]string{"gate.yaml:" + want}, texts(err)); diff != "" {
				t.Errorf("errors (-want +got):\n%s", diff)
			}
		})
	}
}

func TestManyErrorsOfEverySortAreCounted(t *testing.T) {
	t.Parallel()
	text := strings.Repeat("zebra: {a: 1, a: 2}\n", 200) + "clerk: {x: 1, y: ${UNSET}}\nlimits: {a: {z: 1}}\ndebug: off"
	_, _, err := load("gate.yaml", text)
	got := texts(err)
	if want := "305 more errors are not shown"; len(got) != 101 || !strings.Contains(got[100], want) {
		t.Errorf("%d errors, the last is %q, want %q in it", len(got), got[len(got)-1], want)
	}
}

func TestErrorsNeverRepeatASecret(t *testing.T) {
	t.Parallel()
	const secret = "sk_live_abc"
	for name, text := range map[string]string{
		"in a secret field":             "clerk: {pin: sk_live_abc}",
		"from the environment":          "clerk: {pin: ${SECRET}}",
		"as a number":                   "clerk: {pin: sk_live_abc, secret_key: 123, zebra: sk_live_abc}",
		"in the error of a type":        "clerk: {codes: {sk_live_abc: sk_live_abc}}",
		"in a variable elsewhere":       "limits: {a: {limit: ${SECRET}}}\ndebug: ${SECRET}",
		"under an unknown key":          "clerk: {secret_kee: sk_live_abc, x: ${SECRET}}",
		"as an alias":                   "clerk: {secret_key: *sk_live_abc}",
		"as an anchor":                  "clerk: {secret_key: &sk_live_abc}",
		"as a tag":                      "clerk: {secret_key: !sk_live_abc x}",
		"as a malformed reference":      "clerk: {secret_key: \"${sk_live_abc!}\"}",
		"as an open reference":          "clerk: {secret_key: \"${sk_live_abc\"}",
		"as a mapping":                  "clerk: {secret_key: {sk_live_abc}}",
		"in both places":                "clerk: {secret_key: sk_live_abc, secret_key_file: keys/secret}",
		"where YAML breaks off":         "clerk: {secret_key: sk_live_abc: sk_live_abc",
		"in a quote that is not closed": "clerk: {secret_key: 'sk_live_abc",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, _, err := load("conf/gate.yaml", text)
			if err == nil {
				t.Fatal("no error")
			}
			if strings.Contains(err.Error(), secret) || strings.Contains(fmt.Sprintf("%#v", err), secret) {
				t.Errorf("the error repeats the secret: %v", err)
			}
		})
	}
}

func TestADocumentHoldsNoValues(t *testing.T) {
	t.Parallel()
	_, d, err := load("gate.yaml", "clerk: {secret_key: ${SECRET}}")
	if err != nil {
		t.Fatal(err)
	}
	if dump := fmt.Sprintf("%+v", d); strings.Contains(dump, "sk_live_abc") {
		t.Errorf("the document holds the secret: %s", dump)
	}
	if at := d.Position("clerk.secret_key").String(); at != "gate.yaml:1:21" {
		t.Errorf("the position is lost: %s", at)
	}
}

// texts lists the errors that err joins.
func texts(err error) []string {
	var all []string
	for _, e := range joined.Each(err) {
		all = append(all, e.Error())
	}
	return all
}

func TestLoadErrorsAreLocated(t *testing.T) {
	t.Parallel()
	_, _, err := load("gate.yaml", "limits: {a: {window: 10}}")
	got, ok := errors.AsType[*document.Error](err)
	if !ok {
		t.Fatalf("error %v is not located", err)
	}
	want := document.Position{File: "gate.yaml", Line: 1, Column: 22}
	if got.Position != want || got.Path != "limits.a.window" || got.Unwrap() == nil {
		t.Errorf("located %+v", got)
	}
}
