package policy

import (
	"fmt"
	"slices"
	"strings"
)

// Claim returns a claim by its path, as in metadata.tier; nil for none. A dot of a
// name is written \. there, as in https://hasura\.io/jwt/claims.x-hasura-role.
func (p *Principal) Claim(path string) any {
	steps, err := claimSteps(path)
	if err != nil {
		return nil
	}
	value, _ := claimAt(p.Claims, steps)
	return value
}

// claimSteps splits the path of a claim into the names of members. A name that is a
// URL has dots of its own: unless they say so, the path would lead nowhere.
func claimSteps(path string) ([]string, error) {
	steps, name := []string(nil), []byte(nil)
	for i := 0; i < len(path); i++ {
		switch c := path[i]; {
		case c == '\\' && i+1 < len(path) && (path[i+1] == '.' || path[i+1] == '\\'):
			i++
			name = append(name, path[i])
		case c == '\\':
			return nil, &ConfigError{Msg: fmt.Sprintf(`claim %q has a \ that stands before neither a dot nor another`, path)}
		case c == '.':
			steps, name = append(steps, string(name)), nil
		default:
			name = append(name, c)
		}
	}
	steps = append(steps, string(name))
	if slices.Contains(steps, "") {
		return nil, &ConfigError{Msg: fmt.Sprintf("claim %q asks for nothing", path), Suggestion: "write path.to.claim"}
	}
	if end := strings.LastIndexByte(path, '/'); strings.Contains(path, "://") && unescapedDot(path[:end]) {
		escaped := strings.ReplaceAll(strings.ReplaceAll(path[:end], `\.`, "."), ".", `\.`)
		return nil, &ConfigError{Msg: fmt.Sprintf(`claim %q is named by a URL, whose dots are written \.`, path), Suggestion: "write " + escaped + path[end:]}
	}
	return steps, nil
}

func unescapedDot(text string) bool {
	return strings.Contains(strings.ReplaceAll(text, `\.`, ""), ".")
}
