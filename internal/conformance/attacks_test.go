package conformance

import (
	"bufio"
	"bytes"
	"compress/gzip"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// attack is one case of the attack files: its input differs by file.
type attack[I any] struct {
	ID     string          `json:"id"`
	Family string          `json:"family"`
	Input  I               `json:"input"`
	Expect json.RawMessage `json:"expect"`
	AlsoOK []string        `json:"also_ok"`
	Why    string          `json:"why"`
}

// expected is the outcome named first, for files whose outcomes are words.
func (a *attack[I]) expected() string {
	var word string
	_ = json.Unmarshal(a.Expect, &word) // no word: the empty outcome, which nothing equals
	return word
}

// mustPass reports whether every acceptable outcome lets the request pass: a
// refusal would lock somebody out.
func (a *attack[I]) mustPass() bool {
	return !slices.ContainsFunc(append([]string{a.expected()}, a.AlsoOK...), isRefusal)
}

// mustRefuse reports whether no acceptable outcome lets the request pass.
func (a *attack[I]) mustRefuse() bool {
	return !slices.ContainsFunc(append([]string{a.expected()}, a.AlsoOK...), func(o string) bool { return !isRefusal(o) })
}

func isRefusal(outcome string) bool {
	return strings.HasPrefix(outcome, "protected-as:") || outcome == "rejected-400" || outcome == "denied" || outcome == "challenge"
}

// maxAttackLine bounds a line of the attack files.
const maxAttackLine = 1 << 20

// loadAttacks reads an attack file, and fails without any case.
func loadAttacks[I any](t *testing.T, name string) []attack[I] {
	t.Helper()
	s := bufio.NewScanner(bytes.NewReader(readAttacks(t, name)))
	s.Buffer(nil, maxAttackLine)
	var cases []attack[I]
	for s.Scan() {
		var a attack[I]
		if err := json.Unmarshal(s.Bytes(), &a); err != nil {
			t.Fatalf("%s: line %d: %v", name, len(cases)+1, err)
		}
		cases = append(cases, a)
	}
	if err := s.Err(); err != nil || len(cases) == 0 {
		t.Fatalf("%s: %d cases, %v", name, len(cases), err)
	}
	return cases
}

// readAttacks returns the lines of an attack file: those that were handed to us,
// and those that we wrote to the same rules. CLERKGATE_ATTACKS names another
// directory of the same form to take in place of both.
func readAttacks(t *testing.T, name string) []byte {
	t.Helper()
	if dir := os.Getenv("CLERKGATE_ATTACKS"); dir != "" {
		return readPacked(t, filepath.Join(dir, name+".jsonl"))
	}
	lines := readPacked(t, filepath.Join("testdata", "attacks", name+".jsonl"))
	if name == "tokens-wycheproof" {
		return lines // there are no more of these
	}
	return append(lines, readPacked(t, filepath.Join("testdata", "attacks-more", name+".jsonl"))...)
}

// readPacked returns the content of a file that may be compressed.
func readPacked(t *testing.T, path string) []byte {
	t.Helper()
	if plain, err := os.ReadFile(path); err == nil {
		return plain
	}
	packed, err := os.Open(path + ".gz")
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(unpacked)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// score counts refusals and acceptances of one surface apart: nobody let in,
// and nobody locked out.
type score struct {
	name               string
	refused, toRefuse  int
	accepted, toAccept int
	other, others      int
	// passed of the others were let pass.
	passed int
	// named came out otherwise for a reason that is known of the proxy.
	named int
}

// add counts one case: whether it came out as it may, and whether it passed.
func (s *score) add(mustRefuse, mustPass, ok, passed bool) {
	count := func(all, good *int) {
		*all++
		if ok {
			*good++
		}
	}
	switch {
	case mustRefuse:
		count(&s.toRefuse, &s.refused)
	case mustPass:
		count(&s.toAccept, &s.accepted)
	default:
		count(&s.others, &s.other)
		if passed {
			s.passed++
		}
	}
}

func (s *score) report(t *testing.T) {
	t.Helper()
	fmt.Fprintf(t.Output(), "%s: refusals %d/%d, acceptances %d/%d, either way %d/%d (%d passed)",
		s.name, s.refused, s.toRefuse, s.accepted, s.toAccept, s.other, s.others, s.passed)
	if s.named > 0 {
		fmt.Fprintf(t.Output(), ", %d otherwise for known reasons", s.named)
	}
	fmt.Fprintln(t.Output())
	if s.toRefuse+s.toAccept+s.others == 0 {
		t.Errorf("%s: no cases", s.name)
	}
}

// textOr64 decodes a value that came as text or, where it holds other bytes, in
// base64.
func textOr64(t *testing.T, text, b64 string) string {
	t.Helper()
	if b64 == "" {
		return text
	}
	raw, err := base64.StdEncoding.DecodeString(b64)
	if err != nil {
		t.Fatal(err)
	}
	return string(raw)
}
