package policy

import (
	"fmt"
	"strings"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// expressionCost bounds the work of one expression, in CEL's own unit of cost.
const expressionCost = 100_000

// expressionInterrupt is after how many comprehension steps an expression looks
// at whether the request was given up.
const expressionInterrupt = 64

// expression compiles a CEL expression over principal, claims, request and
// params. One that fails at run time, costs too much or gives no boolean cannot
// be told, and so refuses.
func (c *requirementCompiler) expression(path, text string) condition {
	failed := func(*subject) (truth, Reason, error) { return undecided, ReasonExpressionFailed, nil }
	program, err := compileExpression(text)
	if err != nil {
		c.errorf(path, "", "%s", err)
		return failed
	}
	c.usesParams = c.usesParams || strings.Contains(text, "params")
	return func(s *subject) (truth, Reason, error) {
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
}

func compileExpression(text string) (cel.Program, error) {
	object := cel.MapType(cel.StringType, cel.DynType)
	env, err := cel.NewEnv(
		cel.Variable("principal", object),
		cel.Variable("claims", object),
		cel.Variable("request", object),
		cel.Variable("params", cel.MapType(cel.StringType, cel.StringType)),
		cel.CrossTypeNumericComparisons(true),
	)
	if err != nil {
		return nil, err
	}
	ast, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, issues.Err()
	}
	if t := ast.OutputType(); !t.IsExactType(cel.BoolType) && !t.IsExactType(cel.DynType) {
		return nil, fmt.Errorf("the expression gives %s, not a boolean", t)
	}
	return env.Program(ast, cel.EvalOptions(cel.OptOptimize), cel.CostLimit(expressionCost), cel.InterruptCheckFrequency(expressionInterrupt))
}

// expressionInput is what an expression sees. Missing things are absent keys,
// so that naming one without has() fails, and so refuses.
func expressionInput(s *subject) map[string]any {
	params := make(map[string]string, len(s.params))
	for _, p := range s.params {
		params[p.Name] = p.Value
	}
	claims := s.principal.Claims
	if claims == nil {
		claims = map[string]any{}
	}
	return map[string]any{
		"principal": principalInput(s.principal),
		"claims":    claims,
		"params":    params,
		"request": map[string]any{
			"method": s.request.Method,
			"scheme": s.request.Scheme,
			"host":   s.target.host,
			"path":   s.target.readings[0],
			"query":  s.target.query,
		},
	}
}

func principalInput(p *Principal) map[string]any {
	input := map[string]any{
		"token_type":      string(p.TokenType),
		"org_permissions": p.OrgPermissions,
		"scopes":          p.Scopes,
	}
	for name, value := range map[string]string{
		"user_id": p.UserID, "session_id": p.SessionID, "org_id": p.OrgID, "org_slug": p.OrgSlug,
		"org_role": p.OrgRole, "actor": p.Actor, "machine_id": p.MachineID, "client_id": p.ClientID,
	} {
		if value != "" {
			input[name] = value
		}
	}
	return input
}
