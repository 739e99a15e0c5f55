package caddyplugin

import (
	"encoding/json"
	"fmt"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/setup"
)

// globalPlaceholders begin the placeholders that have a value before there is a
// request. All other braces, such as those of path patterns and expressions, are
// left alone.
var globalPlaceholders = []string{"{env.", "{file.", "{system."}

// expand returns a copy of a configuration in which Caddy's global placeholders
// are replaced in every value.
func expand(config setup.Config) (*setup.Config, error) {
	text, err := json.Marshal(config)
	if err != nil {
		return nil, fmt.Errorf("expanding placeholders: %w", err)
	}
	expanded := new(setup.Config)
	if !hasPlaceholder(string(text)) {
		*expanded = config
		return expanded, nil
	}
	var tree any
	if err := json.Unmarshal(text, &tree); err != nil {
		return nil, fmt.Errorf("expanding placeholders: %w", err)
	}
	if tree, err = expandTree("", tree); err != nil {
		return nil, err
	}
	if text, err = json.Marshal(tree); err != nil {
		return nil, fmt.Errorf("expanding placeholders: %w", err)
	}
	if err := json.Unmarshal(text, expanded); err != nil {
		return nil, fmt.Errorf("expanding placeholders: %w", err)
	}
	return expanded, nil
}

// expandTree replaces placeholders in all strings of decoded JSON.
func expandTree(path string, value any) (any, error) {
	var err error
	switch v := value.(type) {
	case string:
		if v, err = replaceKnown(v); err != nil {
			return nil, fmt.Errorf("%s: %w", strings.TrimPrefix(path, "."), err)
		}
		return v, nil
	case []any:
		for i := range v {
			if v[i], err = expandTree(fmt.Sprintf("%s[%d]", path, i), v[i]); err != nil {
				return nil, err
			}
		}
	case map[string]any:
		for key := range v {
			if v[key], err = expandTree(path+"."+key, v[key]); err != nil {
				return nil, err
			}
		}
	}
	return value, nil
}

// replaceKnown replaces the global placeholders in a value. One that is unknown
// or empty is an error: what is meant to be set must not be absent.
func replaceKnown(text string) (string, error) {
	if !hasPlaceholder(text) {
		return text, nil
	}
	return caddy.NewReplacer().ReplaceOrErr(text, true, true)
}

func hasPlaceholder(text string) bool {
	for _, prefix := range globalPlaceholders {
		if strings.Contains(text, prefix) {
			return true
		}
	}
	return false
}
