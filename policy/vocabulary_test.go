package policy

import (
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"net/http"
	"os"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

var updateReasons = flag.Bool("update-reasons", false, "write docs/reasons.md anew")

// aRequirement is something for each field to ask for.
var aRequirement = Requirement{
	Role: StringList{"org:admin"}, Permission: StringList{"org:a:b"}, Feature: StringList{"docs"}, Plan: StringList{"pro"},
	Organization: &Organization{ID: StringList{"org_1"}}, User: StringList{"user_1"}, Claims: map[string]any{"tier": "gold"},
	Actor: "forbidden", Expression: "true", All: []Requirement{{Actor: "forbidden"}}, Any: []Requirement{{Actor: "forbidden"}}, Not: &Requirement{Actor: "forbidden"},
}

// A field of a requirement that is compiled to nothing would ask for nothing: beside
// another, no error would say so, and whom it should keep out would be let in.
func TestEveryFieldOfARequirementAsksForSomething(t *testing.T) {
	t.Parallel()
	whole := reflect.ValueOf(aRequirement)
	for i := range whole.NumField() {
		name := whole.Type().Field(i).Name
		if whole.Field(i).IsZero() {
			t.Errorf("aRequirement lacks %s", name)
			continue
		}
		alone := Requirement{}
		reflect.ValueOf(&alone).Elem().Field(i).Set(whole.Field(i))
		beside := Requirement{User: StringList{"user_1"}}
		if name == "User" {
			beside = Requirement{Role: StringList{"org:admin"}}
		}
		reflect.ValueOf(&beside).Elem().Field(i).Set(whole.Field(i))
		for want, r := range map[int]*Requirement{1: &alone, 2: &beside} {
			c := requirementCompiler{}
			if got := len(c.compile("require", r)); len(c.errs) > 0 || got != want {
				t.Errorf("%s: %d conditions, want %d; %v", name, got, want, c.errs)
			}
		}
	}
}

// Every constant of type Reason has a row in the table, and no row stands for none.
func TestEveryReasonIsInTheTable(t *testing.T) {
	t.Parallel()
	file, err := parser.ParseFile(token.NewFileSet(), "reason.go", nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	names := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if spec, ok := n.(*ast.ValueSpec); ok && len(spec.Names) == 1 && strings.HasPrefix(spec.Names[0].Name, "Reason") {
			names[spec.Names[0].Name] = true
		}
		return true
	})
	delete(names, "ReasonRefreshPrefix")
	rows := map[string]bool{}
	ast.Inspect(file, func(n ast.Node) bool {
		if row, ok := n.(*ast.KeyValueExpr); ok {
			if key, ok := row.Key.(*ast.Ident); ok {
				rows[key.Name] = true
			}
		}
		return true
	})
	for name := range names {
		if !rows[name] {
			t.Errorf("%s has no row in reasons", name)
		}
	}
	if len(reasons) != len(names) {
		t.Errorf("%d rows, and %d constants", len(reasons), len(names))
	}
	for _, reason := range Reasons() {
		code, known := grpcCodes[reason.Status()]
		if passes := reason.Status() == http.StatusOK; passes == known || known && code == 0 {
			t.Errorf("%s: status %d has the gRPC code %d (known: %t)", reason, reason.Status(), code, known)
		}
		if reason.IsOutage() && reason.Status() != http.StatusServiceUnavailable {
			t.Errorf("%s is an outage with status %d", reason, reason.Status())
		}
	}
	if grpcCode(http.StatusTeapot) == 0 {
		t.Error("a status that is not in the table is OK for gRPC")
	}
}

// Operators look reasons up in docs/reasons.md.
func TestReasonsAreDocumented(t *testing.T) {
	t.Parallel()
	const file = "../docs/reasons.md"
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	for _, reason := range Reasons() {
		code, outage := "", ""
		if c, ok := grpcCodes[reason.Status()]; ok {
			code = strconv.FormatUint(uint64(c), 10)
		}
		if reason.IsOutage() {
			outage = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %d | %s | %s | %s |\n", reason, reason.Status(), code, outage, reason.Detail())
	}
	table := regexp.MustCompile("(?m)(^\\| `.*\n)+")
	if *updateReasons {
		text = table.ReplaceAllLiteral(text, []byte(b.String()))
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got := table.FindString(string(text)); got != b.String() {
		t.Errorf("%s is not the table of reasons; go test ./policy -run ReasonsAreDocumented -update-reasons writes it", file)
	}
}
