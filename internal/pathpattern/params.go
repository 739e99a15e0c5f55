package pathpattern

// Param is what a parameter of a pattern took from a path.
type Param struct{ Name, Value string }

// Params are the parameters that took part in a match, in the order of the
// pattern. An optional parameter that was not there is absent.
type Params []Param

// Get returns the value of a parameter. Where a pattern uses a name twice, the
// last that took part counts, as in the reference.
func (ps Params) Get(name string) (string, bool) {
	for i := len(ps) - 1; i >= 0; i-- {
		if ps[i].Name == name {
			return ps[i].Value, true
		}
	}
	return "", false
}

// Names returns the names of the pattern's parameters, in order. One without a
// name has its number among those: "0", "1".
func (p *Pattern) Names() []string {
	names := make([]string, len(p.params))
	for i, param := range p.params {
		names[i] = param.name
	}
	return names
}

// Params is [Pattern.Match] with what the parameters took. A repeated parameter
// has its whole text, such as a/b/c. A pattern with look-ahead is matched again on
// the backtracking engine, so [ErrTimeout] is possible there too.
func (p *Pattern) Params(path string) (Params, bool, error) {
	if ok, err := p.Match(path); !ok || err != nil || len(p.params) == 0 {
		return nil, ok, err
	}
	groups, err := p.engine.groups(path)
	if err != nil {
		return nil, false, err
	}
	var out Params
	for _, param := range p.params {
		if g := groups(param.group); g.ok {
			out = append(out, Param{param.name, g.text})
		}
	}
	return out, true, nil
}
