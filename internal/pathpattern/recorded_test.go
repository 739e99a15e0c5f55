package pathpattern

import (
	"compress/gzip"
	"encoding/json"
	"errors"
	"flag"
	"io"
	"os"
	"testing"
)

var recorded = flag.String("recorded", "testdata/recorded.jsonl.gz", "what testdata/record.mjs wrote")

// recording is what path-to-regexp made of one pattern.
type recording struct {
	Pattern   string
	Error     string
	Paths     []string
	Reference []took
	DotAll    []took
}

// took says whether a path matched, and what each parameter took of it (nil: no
// part). known is false where only the match itself was recorded.
type took struct {
	matched, known bool
	groups         []*string
}

func (k *took) UnmarshalJSON(data []byte) error {
	if json.Unmarshal(data, &k.matched) == nil {
		return nil
	}
	k.matched, k.known = true, true
	return json.Unmarshal(data, &k.groups)
}

// Thousands of random patterns, most of them with expressions, mean what they
// mean to path-to-regexp: match, error and parameters, in either mode.
func TestPatternsMeanWhatTheyMeanToPathToRegexp(t *testing.T) {
	t.Parallel()
	f, err := os.Open(*recorded)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	unpacked, err := gzip.NewReader(f)
	if err != nil {
		t.Fatal(err)
	}
	var patterns, matches int
	for d := json.NewDecoder(unpacked); ; patterns++ {
		var r recording
		if err := d.Decode(&r); err == io.EOF {
			break
		} else if err != nil {
			t.Fatal(err)
		}
		matches += checkRecording(t, r, Options{Reference: true}, r.Reference)
		matches += checkRecording(t, r, Options{}, r.DotAll)
	}
	t.Logf("%d patterns, %d matches", patterns, matches)
	if patterns == 0 || matches == 0 {
		t.Error("nothing was recorded")
	}
}

func checkRecording(t *testing.T, r recording, o Options, want []took) (matches int) {
	t.Helper()
	p, err := Compile(r.Pattern, o)
	if (err != nil) != (r.Error != "") {
		t.Errorf("Compile(%q) = %v, want error %q", r.Pattern, err, r.Error)
	}
	if err != nil || r.Error != "" {
		return 0
	}
	for i, path := range r.Paths {
		got, err := p.Match(path)
		if err != nil && !errors.Is(err, ErrTimeout) || err == nil && got != want[i].matched {
			t.Errorf("%+v: Match(%q, %q) = %v, %v, want %v", o, r.Pattern, path, got, err, want[i].matched)
		}
		if got {
			matches++
			checkParams(t, p, path, want[i])
		}
	}
	return matches
}

func checkParams(t *testing.T, p *Pattern, path string, want took) {
	t.Helper()
	got, _, err := p.Params(path)
	if !want.known || errors.Is(err, ErrTimeout) {
		return
	}
	var params Params
	for i, value := range want.groups {
		if value != nil {
			params = append(params, Param{p.Names()[i], *value})
		}
	}
	if err != nil || !equalParams(got, params) {
		t.Errorf("Params(%q, %q) = %q, %v, want %q", p, path, got, err, params)
	}
}
