package policy

import (
	"errors"
	"fmt"
	"regexp"
	"slices"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"
)

// expressionCost bounds the work of one expression, in CEL's own unit of cost.
const expressionCost = 100_000

// expressionInterrupt is after how many comprehension steps an expression looks
// at whether the request was given up.
const expressionInterrupt = 64

// expression compiles a CEL expression over principal, claims, request and
// params. One that fails at run time, costs too much or gives no boolean cannot
// be decided, and so denies.
func (c *requirementCompiler) expression(path, text string) condition {
	failed := func(*subject) (truth, Reason, error) { return undecided, ReasonExpressionFailed, nil }
	program, err := c.compileExpression(text)
	if err != nil {
		c.errs = append(c.errs, atPath(path, err))
		return failed
	}
	c.usesParams = c.usesParams || strings.Contains(text, "params")
	evaluate := func(s *subject) (truth, Reason, error) {
		out, _, err := program.ContextEval(s.ctx, expressionInput(s))
		if err != nil {
			return undecided, ReasonExpressionFailed, fmt.Errorf("evaluating expression: %w", err)
		}
		switch out {
		case types.True:
			return met, "", nil
		case types.False:
			return unmet, ReasonExpressionFalse, nil
		default:
			return undecided, ReasonExpressionFailed, fmt.Errorf("expression gave %s, not a boolean", out.Type().TypeName())
		}
	}
	if strings.Contains(text, "request") {
		c.usesRequest = true
		return onEveryReading(evaluate)
	}
	return evaluate
}

// compileExpression reads an expression and checks it against the types of what it
// names.
func (c *requirementCompiler) compileExpression(text string) (cel.Program, error) {
	env, err := expressionEnv()
	if err != nil {
		return nil, err
	}
	parsed, issues := env.Parse(text)
	if issues.Err() != nil {
		return nil, expressionError(issues)
	}
	if err := c.checkNames(parsed.NativeRep().Expr()); err != nil {
		return nil, err
	}
	checked, issues := env.Check(parsed)
	if issues.Err() != nil {
		return nil, expressionError(issues)
	}
	if t := checked.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, &ConfigError{Msg: fmt.Sprintf("the expression returns %s, not a boolean", t), Suggestion: "compare it with something"}
	}
	return env.Program(checked, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(expressionCost), cel.InterruptCheckFrequency(expressionInterrupt))
}

// expressionError is the first thing that CEL has against an expression.
func expressionError(issues *cel.Issues) error {
	first := issues.Errors()[0]
	msg := strings.TrimPrefix(first.Message, "Syntax error: ")
	return &ConfigError{Msg: fmt.Sprintf("the expression, at %d:%d: %s", first.Location.Line(), first.Location.Column()+1, msg), Suggestion: celSuggestion(msg)}
}

var undeclared = regexp.MustCompile(`undeclared reference to '(\w+)'`)

func celSuggestion(msg string) string {
	switch m := undeclared.FindStringSubmatch(msg); {
	case m == nil:
		return ""
	case slices.Contains([]string{"user", "auth", "session", "has_role"}, m[1]):
		return "known are principal, claims, request, params"
	default:
		return didYouMean(m[1], "principal", "claims", "request", "params")
	}
}

// checkNames reports fields that do not exist, and reads comparisons with the empty
// string as the question whether there is anything.
func (c *requirementCompiler) checkNames(root ast.Expr) error {
	var errs []error
	ast.PostOrderVisit(root, ast.NewExprVisitor(func(e ast.Expr) {
		of, name, test := selected(e)
		if objects[of] != nil && e.Kind() == ast.CallKind { // principal["org_id"]
			e.SetKindCase(ast.NewExprFactory().NewSelect(e.ID(), e.AsCall().Args()[0], name))
		}
		switch {
		case of == "params" && !test && !slices.Contains(c.paramNames, name):
			errs = append(errs, &ConfigError{Msg: fmt.Sprintf("the rule's paths have no parameter %q", ":"+name), Suggestion: "every path of the rule must have it, as in /orgs/:" + name})
		case objects[of] != nil && e.Kind() == ast.SelectKind && objects[of].fields[name].get == nil:
			errs = append(errs, &ConfigError{Msg: fmt.Sprintf("%s has no %q", of, name), Suggestion: objects[of].suggest(name)})
		}
		comparedWithNothing(e)
	}))
	return errors.Join(errs...)
}

// selected returns which variable and which of its fields, or entries, an
// expression reads; test where it only checks for presence.
func selected(e ast.Expr) (of, name string, test bool) {
	var operand ast.Expr
	switch {
	case e.Kind() == ast.SelectKind:
		operand, name, test = e.AsSelect().Operand(), e.AsSelect().FieldName(), e.AsSelect().IsTestOnly()
	case e.Kind() == ast.CallKind && e.AsCall().FunctionName() == operators.Index && e.AsCall().Args()[1].Kind() == ast.LiteralKind:
		operand = e.AsCall().Args()[0]
		name, _ = e.AsCall().Args()[1].AsLiteral().Value().(string)
	}
	if operand == nil || operand.Kind() != ast.IdentKind {
		return "", "", false
	}
	return operand.AsIdent(), name, test
}

// comparedWithNothing turns principal.org_id != ” into has(principal.org_id), and
// == into its opposite. Whatever else is done with a thing that is not there fails,
// and so denies: no comparison is true of it.
func comparedWithNothing(e ast.Expr) {
	if e.Kind() != ast.CallKind {
		return
	}
	call := e.AsCall()
	if f := call.FunctionName(); f != operators.Equals && f != operators.NotEquals {
		return
	}
	field, empty := call.Args()[0], call.Args()[1]
	if field.Kind() == ast.LiteralKind {
		field, empty = empty, field
	}
	of, name, test := selected(field)
	if of != "principal" || test || field.Kind() != ast.SelectKind || empty.Kind() != ast.LiteralKind || empty.AsLiteral().Value() != "" || objects[of].fields[name].kind != cel.StringType {
		return
	}
	factory := ast.NewExprFactory()
	if call.FunctionName() == operators.NotEquals {
		e.SetKindCase(factory.NewPresenceTest(e.ID(), field.AsSelect().Operand(), name))
		return
	}
	e.SetKindCase(factory.NewCall(e.ID(), operators.LogicalNot, factory.NewPresenceTest(field.ID(), field.AsSelect().Operand(), name)))
}

// expressionInput is what an expression sees.
func expressionInput(s *subject) map[string]any {
	params := make(map[string]string, len(s.params))
	for _, p := range s.params {
		params[p.Name] = p.Value
	}
	claims := s.principal.Claims
	if claims == nil {
		claims = map[string]any{}
	}
	return map[string]any{"principal": s.principal, "claims": claims, "params": params, "request": s}
}
