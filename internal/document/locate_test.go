package document_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/clerkgate/clerkgate/internal/document"
)

const located = `clerk:
  secret_key_file: keys/secret
limits:
  per-user:
    limit: 10
  "a.b[0]":
    limit: 20
rules:
  - name: a
    path:
      - /x
      - ${UNSET:-}
      - /y
  - {name: b, path: [/z]}
`

func TestPositionFindsAPathOrItsNearestParent(t *testing.T) {
	t.Parallel()
	_, d, err := load("conf/gate.yaml", located)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{
		"":                            "1:1",
		"clerk":                       "1:1",
		"clerk.secret_key":            "2:20",
		"clerk.secret_key_file":       "2:20",
		"clerk.pin":                   "1:1",
		"limits.per-user.limit":       "5:12",
		`limits["per-user"].limit`:    "5:12",
		`limits["a.b[0]"].limit`:      "7:12",
		"limits.a.b":                  "3:1",
		"rules":                       "8:1",
		"rules[0]":                    "9:5",
		"rules[0].path":               "10:5",
		"rules[0].path[0]":            "11:9",
		"rules[0].path[1]":            "13:9",
		"rules[0].path[2]":            "10:5",
		"rules[1].path[0]":            "14:22",
		"rules[1].path.x":             "14:21",
		"rules[2].name":               "8:1",
		"rules[x].name":               "8:1",
		"rules[-1]":                   "8:1",
		"rules[0":                     "8:1",
		`rules["name"]`:               "8:1",
		"rules..name":                 "8:1",
		"clerk[0]":                    "1:1",
		"unknown.path":                "1:1",
		`limits["per-user`:            "3:1",
		"rules[99999999999999999999]": "8:1",
	} {
		if got := d.Position(path).String(); got != "conf/gate.yaml:"+want {
			t.Errorf("Position(%q) = %s, want %s", path, got, want)
		}
	}
}

// problem is a path error as another package would define it.
type problem struct{ path, msg, suggestion string }

func (p problem) Error() string            { return p.path + ": " + p.msg }
func (p problem) ConfigPath() string       { return p.path }
func (p problem) ConfigMessage() string    { return p.msg }
func (p problem) ConfigSuggestion() string { return p.suggestion }

func TestLocateGivesPositionsToPathErrors(t *testing.T) {
	t.Parallel()
	_, d, err := load("conf/gate.yaml", located)
	if err != nil {
		t.Fatal(err)
	}
	var (
		late  = problem{"rules[1].name", "is taken", ""}
		early = problem{"limits.per-user.window", "is missing", "10s"}
		plain = errors.New("no key set")
	)
	const (
		lateText  = "conf/gate.yaml:14:12: rules[1].name: is taken"
		earlyText = `conf/gate.yaml:4:3: limits.per-user.window: is missing (10s)`
	)
	for name, test := range map[string]struct {
		err  error
		want []string
	}{
		"nothing":                    {nil, nil},
		"one":                        {late, []string{lateText}},
		"without a path":             {plain, []string{"no key set"}},
		"joined, then sorted":        {errors.Join(plain, late, early), []string{earlyText, lateText, "no key set"}},
		"wrapped":                    {fmt.Errorf("building: %w", late), []string{lateText}},
		"wrapped around joined":      {fmt.Errorf("building: %w", errors.Join(late, fmt.Errorf("x: %w", early))), []string{earlyText, lateText}},
		"a wrapper without any path": {fmt.Errorf("building: %w", plain), []string{"building: no key set"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(test.want, texts(d.Locate(test.err))); diff != "" {
				t.Errorf("located (-want +got):\n%s", diff)
			}
		})
	}
	joined := errors.Join(plain, late, early)
	if diff := cmp.Diff(texts(d.Locate(joined)), texts(d.Locate(d.Locate(joined)))); diff != "" {
		t.Errorf("located twice (-once +twice):\n%s", diff)
	}
	if got := d.Locate(late); !errors.Is(got, late) {
		t.Errorf("%v does not unwrap to the path error", got)
	}
}

func TestWithoutADocumentNothingIsLocated(t *testing.T) {
	t.Parallel()
	var d *document.Document
	err := problem{"a", "is wrong", ""}
	if got := d.Locate(err); got != err {
		t.Errorf("Locate = %v", got)
	}
	if got := d.Position("a"); got != (document.Position{}) {
		t.Errorf("Position = %v", got)
	}
}

// picky is a type whose own errors have paths, relative to itself.
type picky struct{}

func (*picky) UnmarshalJSON([]byte) error {
	return errors.Join(problem{"b[0]", "is wrong", "c"}, problem{"a", "is wrong too", ""}, errors.New("as a whole"))
}

func TestPathErrorsOfATypeAreRelativeToIt(t *testing.T) {
	t.Parallel()
	var target struct {
		P picky `json:"p"`
	}
	_, err := document.Load("gate.yaml", []byte("p:\n  a: 1\n  b: [x]\n"), &target, options)
	want := []string{
		"gate.yaml:1:1: p: as a whole",
		"gate.yaml:2:6: p.a: is wrong too",
		`gate.yaml:3:7: p.b[0]: is wrong (c)`,
	}
	if diff := cmp.Diff(want, texts(err)); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}

func TestPositionStringLeavesOutWhatIsNotKnown(t *testing.T) {
	t.Parallel()
	for want, p := range map[string]document.Position{
		"":           {},
		"a.yaml":     {File: "a.yaml"},
		"3:4":        {Line: 3, Column: 4},
		"a.yaml:3:4": {File: "a.yaml", Line: 3, Column: 4},
	} {
		if got := p.String(); got != want {
			t.Errorf("%+v is %q, want %q", p, got, want)
		}
	}
	if got := (&document.Error{Msg: "is wrong"}).Error(); strings.Contains(got, ":") {
		t.Errorf("an error without a place reads %q", got)
	}
}
