package policy

import (
	"fmt"
	"slices"
	"strings"
)

// signs stand between a name and its value in other languages; words do so, or
// join values, where there are several.
var (
	signs = strings.Fields("= == === := : => != !== <> =~ ~ & && | || , + - * !")
	words = strings.Fields("is are eq equals equal in not and or")
)

// checkValues reports values that are mistakes: "role = admin", as other languages
// have it, would otherwise require either of two roles, one of which cannot exist.
func (c *requirementCompiler) checkValues(path string, list StringList) {
	for i, value := range list {
		at := path
		if len(list) > 1 {
			at = fmt.Sprintf("%s[%d]", path, i)
		}
		if wrong := misread(value, len(list) > 1); wrong != "" {
			c.errorf(at, "write the values alone, any of which will do", "%q is not a value but %s", value, wrong)
		}
	}
}

// misread says what a text is if it is no value, or nothing.
func misread(value string, oneOfSeveral bool) string {
	switch {
	case slices.Contains(signs, value):
		return "a sign"
	case oneOfSeveral && slices.Contains(words, strings.ToLower(value)):
		return "a word between values"
	case strings.HasPrefix(value, "= "), strings.HasPrefix(value, "== "):
		return "a comparison"
	case strings.HasSuffix(value, ","), strings.Contains(value, ", "):
		return "several values in one"
	}
	return ""
}

// checkClaimValues reports the same in the values of claims, which may be texts with
// commas.
func (c *requirementCompiler) checkClaimValues(path, claim string, accepted []any) {
	for _, value := range accepted {
		text, ok := value.(string)
		if !ok || strings.Contains(text, ",") && text != "," {
			continue
		}
		if wrong := misread(text, len(accepted) > 1); wrong != "" {
			c.errorf(path, "write the values alone, any of which will do: "+claim+" admin, or in YAML "+claim+": admin", "claim %q is compared with %q, which is not a value but %s", claim, text, wrong)
		}
	}
}
