package caddyplugin

import (
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/caddyserver/caddy/v2"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/internal/setup"
	"github.com/clerkgate/clerkgate/policy"
)

// globalPlaceholders are the prefixes of Caddy's global placeholders, which have a
// value before there is a request. All other braces, such as those of path patterns
// and expressions, are not changed.
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
	if err := expandTree("", &tree); err != nil {
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

// expandTree replaces placeholders in all strings of decoded JSON. The error has the
// path of each value that cannot be replaced.
func expandTree(path string, value *any) error {
	var errs []error
	walkStrings(path, value, func(path, text string) string {
		expanded, err := replaceGlobal(text)
		if err != nil {
			errs = append(errs, &policy.ConfigError{Path: path, Msg: err.Error()})
		}
		return expanded
	})
	return errors.Join(errs...)
}

// placeholdersIn returns the paths of the values that contain placeholders.
func placeholdersIn(config *setup.Config) []string {
	var paths []string
	eachString(config, func(path, text string) {
		if hasPlaceholder(text) {
			paths = append(paths, path)
		}
	})
	return paths
}

// filesIn returns the files that the values of a configuration refer to, by {file.*}.
func filesIn(config *setup.Config) []document.File {
	var files []document.File
	eachString(config, func(path, text string) {
		for _, reference := range fileReference.FindAllStringSubmatch(text, -1) {
			files = append(files, document.File{Path: path, Name: reference[1]})
		}
	})
	return files
}

// eachString visits all strings of a configuration, in the order of their paths.
func eachString(config *setup.Config, visit func(path, text string)) {
	var tree any
	if text, err := json.Marshal(config); err != nil || json.Unmarshal(text, &tree) != nil {
		return // Provision says what is wrong
	}
	walkStrings("", &tree, func(path, text string) string {
		visit(path, text)
		return text
	})
}

// walkStrings edits all strings of decoded JSON, in the order of their paths.
func walkStrings(path string, value *any, edit func(path, text string) string) {
	switch v := (*value).(type) {
	case string:
		*value = edit(path, v)
	case []any:
		for i := range v {
			walkStrings(fmt.Sprintf("%s[%d]", path, i), &v[i], edit)
		}
	case map[string]any:
		for _, key := range slices.Sorted(maps.Keys(v)) {
			inner := v[key]
			walkStrings(strings.TrimPrefix(path+"."+key, "."), &inner, edit)
			v[key] = inner
		}
	}
}

// replaceGlobal replaces the global placeholders in a value. One that is unknown or
// empty is an error, so that a setting is not silently absent.
func replaceGlobal(text string) (string, error) {
	if !hasPlaceholder(text) {
		return text, nil
	}
	for _, reference := range fileReference.FindAllStringSubmatch(text, -1) {
		if _, err := document.ReadFile(reference[1]); err != nil { // Caddy would block on a pipe
			return "", err
		}
	}
	for _, reference := range envReference.FindAllStringSubmatch(text, -1) {
		if os.Getenv(reference[1]) == "" {
			return "", fmt.Errorf("the environment variable %q is not set or empty", reference[1])
		}
	}
	return caddy.NewReplacer().ReplaceOrErr(text, true, true)
}

var (
	fileReference = regexp.MustCompile(`\{file\.([^{}]*)\}`)
	envReference  = regexp.MustCompile(`\{env\.([^{}]*)\}`)
)

func hasPlaceholder(text string) bool {
	for _, prefix := range globalPlaceholders {
		if strings.Contains(text, prefix) {
			return true
		}
	}
	return false
}
