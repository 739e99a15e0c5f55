package main

import (
	"errors"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/clerkgate/clerkgate/internal/setup"
)

func validateCommand() *cobra.Command {
	var strict bool
	cmd := &cobra.Command{
		Use:   "validate <file>...",
		Short: "Check policy documents",
		Long: `validate reads policy documents and reports everything that is wrong with file,
line, column and a suggestion, and what is allowed but probably not meant.

It fetches nothing. It exits with 1 where a document is wrong.`,
		Example: `  clerkgate validate clerkgate.yaml
  clerkgate validate --strict clerkgate.yaml   # warnings count as errors`,
		Args: cobra.MinimumNArgs(1),
		RunE: func(cmd *cobra.Command, files []string) error {
			bad := 0
			for _, file := range files {
				if !validate(cmd, file, strict) {
					bad++
				}
			}
			if bad > 0 {
				return errors.New(plural(bad, "document is", "documents are") + " not valid")
			}
			return nil
		},
	}
	cmd.Flags().BoolVar(&strict, "strict", false, "count warnings as errors")
	return cmd
}

// validate checks one document and reports whether it is good.
func validate(cmd *cobra.Command, file string, strict bool) bool {
	out := cmd.OutOrStdout()
	config, warnings, err := setup.LoadFile(file)
	if err != nil {
		fmt.Fprintln(out, err)
		return false
	}
	for _, warning := range warnings {
		fmt.Fprintf(out, "%s: warning: %s\n", file, warning)
	}
	if strict && len(warnings) > 0 {
		return false
	}
	fmt.Fprintf(out, "%s: valid, %s, %s\n", file, plural(len(config.Rules), "rule", "rules"), plural(len(warnings), "warning", "warnings"))
	return true
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
