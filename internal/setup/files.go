package setup

import (
	"fmt"

	"github.com/clerkgate/clerkgate/internal/document"
	"github.com/clerkgate/clerkgate/policy"
)

// FileWarnings returns a warning for each file that is world-writable: its content is
// configuration.
func FileWarnings(files []document.File) []policy.Warning {
	var warnings []policy.Warning
	for _, file := range files {
		if document.WritableByAll(file.Name) {
			warnings = append(warnings, policy.Warning{ID: policy.WarnFileWritable, Path: file.Path, Msg: fmt.Sprintf("the file %q is world-writable", file.Name), Suggestion: "chmod o-w"})
		}
	}
	return warnings
}
