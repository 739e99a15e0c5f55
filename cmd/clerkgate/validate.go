package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"github.com/clerkgate/clerkgate/service"
)

func validateCommand() *cobra.Command {
	var strict, notes, http bool
	var config string
	cmd := &cobra.Command{
		Use:   "validate [<file>...]",
		Short: "Check policy documents",
		Long: `validate reads policy documents and reports everything that is wrong with file,
line, column and a suggestion, and what is allowed but probably not meant. Without
a file it reads clerkgate.yaml, as serve does; - is the standard input.
The word in brackets is a warning's ID; ignore_warnings in the document silences it.

It finds all that serve would refuse of a document at its start and at a reload, and
asks nobody for it: not Clerk, not Redis. It exits with 1 where a document is wrong.`,
		Example: `  clerkgate validate clerkgate.yaml
  clerkgate validate --http clerkgate.yaml     # for serve --http
  clerkgate validate --strict clerkgate.yaml   # warnings count as errors
  clerkgate validate --notes clerkgate.yaml    # and what is merely good to know`,
		RunE: func(cmd *cobra.Command, files []string) error {
			if len(files) == 0 || cmd.Flags().Changed("config") {
				files = append(files, config)
			}
			bad := 0
			for _, file := range files {
				if !validate(cmd, file, http, strict, notes) {
					bad++
				}
			}
			if bad > 0 {
				return errors.New(plural(bad, "document is", "documents are") + " not valid")
			}
			return nil
		},
	}
	cmd.Flags().StringVar(&config, "config", defaultConfig, "the policy document, as serve takes it")
	cmd.Flags().BoolVar(&http, "http", false, "check what serve --http needs as well")
	cmd.Flags().BoolVar(&strict, "strict", false, "count warnings as errors")
	cmd.Flags().BoolVar(&notes, "notes", false, "print notes as well, which never count")
	return cmd
}

// validate checks one document and reports whether it is good.
func validate(cmd *cobra.Command, file string, http, strict, notes bool) bool {
	out := cmd.OutOrStdout()
	report, err := read(cmd, file, service.Options{SessionPage: true, DecideOnly: !http})
	if err != nil {
		fmt.Fprintln(out, err)
		if strings.HasSuffix(strings.ToLower(filepath.Base(file)), "caddyfile") {
			fmt.Fprintln(out, "A Caddyfile is checked by caddy validate.")
		}
		return false
	}
	warnings := 0
	for _, finding := range report.Findings {
		if !finding.Note {
			warnings++
		}
		if !finding.Note || notes {
			fmt.Fprintln(out, finding)
		}
	}
	if strict && warnings > 0 {
		return false
	}
	fmt.Fprintf(out, "%s: valid, %s, %s\n", file, plural(report.Rules, "rule", "rules"), plural(warnings, "warning", "warnings"))
	return true
}

// read checks a document, or the standard input.
func read(cmd *cobra.Command, file string, o service.Options) (*service.Report, error) {
	if file != "-" {
		return service.Validate(file, o)
	}
	return service.ValidateFrom("stdin", cmd.InOrStdin(), o)
}

func plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}
