package policy

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/types"
)

// objects are the variables of expressions that have fields, by name. The fields
// are documented in docs/policy.md.
var objects = map[string]*object{
	"principal": {"clerkgate.Principal", fieldsOfPrincipal()},
	"request": {
		"clerkgate.Request", map[string]objectField{
			"method": {cel.StringType, ofSubject(func(s *subject) any { return s.request.Method })},
			"scheme": {cel.StringType, ofSubject(func(s *subject) any { return s.request.Scheme })},
			"host":   {cel.StringType, ofSubject(func(s *subject) any { return s.target.Host })},
			"path":   {cel.StringType, ofSubject(func(s *subject) any { return s.target.Readings[0] })},
			"query":  {cel.StringType, ofSubject(func(s *subject) any { return s.target.Query })},
		},
	},
}

// fieldsOfPrincipal are its attributes.
func fieldsOfPrincipal() map[string]objectField {
	fields := make(map[string]objectField, len(attributes))
	for i := range attributes {
		a := &attributes[i]
		kind := cel.StringType
		if a.IsList() {
			kind = cel.ListType(cel.StringType)
		}
		fields[a.Name] = objectField{kind, ofPrincipal(a.value)}
	}
	return fields
}

// object is a type of expressions.
type object struct {
	name   string
	fields map[string]objectField
}

// suggest names the field that was probably meant: the nearest, or one that is said
// more fully here.
func (o *object) suggest(name string) string {
	known := sortedKeys(o.fields)
	for _, field := range known {
		if strings.HasSuffix(field, "_"+name) || strings.HasPrefix(field, name+"_") {
			return "did you mean " + quoted(field) + "?"
		}
	}
	return didYouMean(name, known...)
}

type objectField struct {
	kind *cel.Type
	get  func(of any) (any, error)
}

var errNotOurs = errors.New("not what the field belongs to")

func ofPrincipal(read func(*Principal) any) func(any) (any, error) {
	return func(of any) (any, error) {
		if p, ok := of.(*Principal); ok {
			return read(p), nil
		}
		return nil, errNotOurs
	}
}

func ofSubject(read func(*subject) any) func(any) (any, error) {
	return func(of any) (any, error) {
		if s, ok := of.(*subject); ok {
			return read(s), nil
		}
		return nil, errNotOurs
	}
}

// fieldType is how CEL reads a field. A text that is empty is not there: reading it
// fails, but where a request itself has it so.
func (o *object) fieldType(name string) (*types.FieldType, bool) {
	f, ok := o.fields[name]
	if !ok {
		return nil, false
	}
	missing := func(value any) bool { return value == "" && o == objects["principal"] }
	return &types.FieldType{
		Type: f.kind,
		IsSet: func(of any) bool {
			value, err := f.get(of)
			return err == nil && !missing(value)
		},
		GetFrom: func(of any) (any, error) {
			value, err := f.get(of)
			if err == nil && missing(value) {
				err = fmt.Errorf("no such key: %s", name)
			}
			return value, err
		},
	}, true
}

// expressionTypes tells CEL about objects.
type expressionTypes struct{ types.Provider }

func objectNamed(name string) *object {
	for _, o := range objects {
		if o.name == name {
			return o
		}
	}
	return nil
}

// FindStructType reports whether there is a type of that name.
func (p expressionTypes) FindStructType(name string) (*types.Type, bool) {
	if o := objectNamed(name); o != nil {
		return types.NewTypeTypeWithParam(types.NewObjectType(name)), true
	}
	return p.Provider.FindStructType(name)
}

// FindStructFieldNames lists the fields of a type.
func (p expressionTypes) FindStructFieldNames(name string) ([]string, bool) {
	if o := objectNamed(name); o != nil {
		return slices.Sorted(maps.Keys(o.fields)), true
	}
	return p.Provider.FindStructFieldNames(name)
}

// FindStructFieldType says what a field is, and how it is read.
func (p expressionTypes) FindStructFieldType(name, field string) (*types.FieldType, bool) {
	if o := objectNamed(name); o != nil {
		return o.fieldType(field)
	}
	return p.Provider.FindStructFieldType(name, field)
}

// expressionEnv is what all expressions are compiled in.
var expressionEnv = sync.OnceValues(func() (*cel.Env, error) {
	registry, err := types.NewRegistry()
	if err != nil {
		return nil, err
	}
	return cel.NewEnv(
		cel.CustomTypeProvider(expressionTypes{registry}), cel.CustomTypeAdapter(registry),
		cel.Variable("principal", cel.ObjectType(objects["principal"].name)),
		cel.Variable("request", cel.ObjectType(objects["request"].name)),
		cel.Variable("claims", cel.MapType(cel.StringType, cel.DynType)),
		cel.Variable("params", cel.MapType(cel.StringType, cel.StringType)),
		cel.CrossTypeNumericComparisons(true),
	)
})
