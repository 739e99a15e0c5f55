package conformance

import (
	"bytes"
	"cmp"
	"compress/gzip"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// vector is one recorded decision: what the reference was asked, and its answer.
type vector[I, E any] struct {
	ID     string   `json:"id"`
	Tags   []string `json:"tags"`
	Input  I        `json:"input"`
	Expect E        `json:"expect"`
}

// Quirk reports whether the decision hangs on an accident of the reference's
// runtime, so that refusing is as good as agreeing.
func (v vector[I, E]) Quirk() bool { return slices.Contains(v.Tags, "quirk") }

// vectorSet is a directory of vectors, and what its summaries are called.
type vectorSet struct{ dir, label string }

// vectorSets are the vectors that everything is held against: the recorded ones,
// and those that were made to tell more. CLERKGATE_VECTORS names others to
// judge in their place.
func vectorSets() []vectorSet {
	if dir := os.Getenv("CLERKGATE_VECTORS"); dir != "" {
		return []vectorSet{{dir, ""}}
	}
	return []vectorSet{{filepath.Join("testdata", "vectors"), ""}, {filepath.Join("testdata", "vectors-more"), " (more)"}}
}

// isComplete reports whether the vectors are those that come with the tests, so
// that all can be expected which there is to see.
func isComplete() bool { return os.Getenv("CLERKGATE_VECTORS") == "" }

// loadVectors reads the vectors of a family, all of them, and fails without any.
func loadVectors[I, E any](t *testing.T, set vectorSet, family string) []vector[I, E] {
	t.Helper()
	d := json.NewDecoder(bytes.NewReader(readVectors(t, set.dir, family)))
	var out []vector[I, E]
	for {
		var v vector[I, E]
		err := d.Decode(&v)
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatalf("%s: line %d: %v", family, len(out)+1, err)
		}
		out = append(out, v)
	}
	if len(out) == 0 {
		t.Fatalf("%s: no vectors in %s", family, set.dir)
	}
	return out
}

// allVectors reads the vectors of a family, of all sets.
func allVectors[I, E any](t *testing.T, family string) []vector[I, E] {
	t.Helper()
	var out []vector[I, E]
	for _, set := range vectorSets() {
		out = append(out, loadVectors[I, E](t, set, family)...)
	}
	return out
}

// readVectors returns the lines of a family, from the file that the manifest
// names or that is named like it, compressed or not.
func readVectors(t *testing.T, dir, family string) []byte {
	t.Helper()
	var manifest struct {
		Files map[string]struct{ File string }
	}
	data, err := os.ReadFile(filepath.Join(dir, "manifest.json"))
	if err == nil {
		err = json.Unmarshal(data, &manifest)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("manifest.json: %v", err)
	}
	name := cmp.Or(strings.TrimSuffix(manifest.Files[family].File, ".gz"), family+".jsonl")
	plain, err := os.ReadFile(filepath.Join(dir, name))
	if err == nil {
		return plain
	}
	packed, err := os.Open(filepath.Join(dir, name+".gz"))
	if err != nil {
		t.Fatal(err)
	}
	defer packed.Close()
	unpacked, err := gzip.NewReader(packed)
	if err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	if plain, err = io.ReadAll(unpacked); err != nil {
		t.Fatalf("%s: %v", name, err)
	}
	return plain
}

// verdict is how an answer of ours stands to the reference's.
type verdict int

const (
	agrees     verdict = iota
	differs            // and refuses, or differs where nothing is granted
	permissive         // grants what the reference does not
	deviates           // differs on purpose, for a reason that the test names
)

// tally counts the verdicts of one family.
type tally struct {
	family         string
	agree, lines   int // without quirks
	quirks, quirky int // quirks in agreement, quirks at all
	permissive     int
	deviations     int
	// refusing says that differences that grant nothing are meant.
	refusing bool
	failures []string
}

// add counts one vector. input and got are what a failure shows.
func (c *tally) add(id string, quirk bool, v verdict, input, got any) {
	switch {
	case v == deviates:
		c.deviations++
	case quirk:
		c.quirky++
	default:
		c.lines++
	}
	switch v {
	case agrees:
		if quirk {
			c.quirks++
		} else {
			c.agree++
		}
		return
	case deviates:
		return
	case permissive:
		c.permissive++
	case differs:
		if quirk || c.refusing {
			return
		}
	}
	c.failures = append(c.failures, fmt.Sprintf("%s: input %+v, got %+v", id, input, got))
}

// String is the summary: one line, in a form that scripts rely on.
func (c *tally) String() string {
	return fmt.Sprintf("%s: %d/%d agree, quirks %d/%d, more permissive %d, deviations %d",
		c.family, c.agree, c.lines, c.quirks, c.quirky, c.permissive, c.deviations)
}

// report prints the summary and fails the test for what may not differ.
func (c *tally) report(t *testing.T) {
	t.Helper()
	fmt.Fprintln(t.Output(), c)
	const most = 20
	for _, f := range c.failures[:min(most, len(c.failures))] {
		t.Error(f)
	}
	if more := len(c.failures) - most; more > 0 {
		t.Errorf("and %d more", more)
	}
}
